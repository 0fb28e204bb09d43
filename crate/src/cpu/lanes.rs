//! The layouts of per-channel values in the vectorised kernels: channels lie side by side, so that a lane is a channel.
//!
//! Outside of these kernels a state has the order of [`State`]; the fast executor converts it on the way in and out.

use super::tiles::ROWS;
use crate::model::{Network, Op, State};

/// (channels, n) as (n, channels).
fn transposed(values: &[f32], channels: usize) -> Vec<f32> {
    let n = values.len() / channels;
    (0..n).flat_map(|i| values.chunks_exact(n).map(move |channel| channel[i])).collect()
}

/// (channels, n) as (channels / 16, n, 16), filled up with zeros.
fn in_tiles(values: &[f32], channels: usize) -> Vec<f32> {
    let n = values.len() / channels;
    let mut tiles = vec![0.0; channels.next_multiple_of(ROWS) * n];
    for (channel, values) in values.chunks_exact(n).enumerate() {
        let tile = &mut tiles[channel / ROWS * ROWS * n..][..ROWS * n];
        values.iter().enumerate().for_each(|(i, &value)| tile[ROWS * i + channel % ROWS] = value);
    }
    tiles
}

/// The inverse of [`in_tiles`].
fn from_tiles(tiles: &[f32], channels: usize) -> Vec<f32> {
    let n = tiles.len() / channels.next_multiple_of(ROWS);
    let value = |channel: usize, i: usize| tiles[channel / ROWS * ROWS * n + ROWS * i + channel % ROWS];
    (0..channels).flat_map(|channel| (0..n).map(move |i| value(channel, i))).collect()
}

/// How the values of a tensor's channels are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelLayout {
    /// (channels, n) as it is.
    Rows,
    /// As `transposed`.
    Transposed,
    /// As `in_tiles`.
    Tiles,
}

impl ChannelLayout {
    /// Of each of a step's weights that kernels index, and of each of its state tensors.
    pub fn of(op: Op) -> (&'static [Self], &'static [Self]) {
        match op {
            // Taps and bias; the last inputs.
            Op::Conv1dSilu => (&[Self::Transposed, Self::Rows], &[Self::Transposed]),
            // The bias of dt, A and D; s.
            Op::SelectiveScan => (&[Self::Rows, Self::Tiles, Self::Rows], &[Self::Tiles]),
            // S.
            Op::Wkv7 { .. } => (&[], &[Self::Tiles]),
            Op::Embed
            | Op::RmsNorm { .. }
            | Op::MatMul { .. }
            | Op::SplitDtBC { .. }
            | Op::LayerNorm { .. }
            | Op::TokenShift
            | Op::Elementwise(_)
            | Op::Multiply
            | Op::ValueResidual => (&[], &[]),
        }
    }

    /// Brings values of `channels` channels into this order.
    pub fn apply(self, values: &[f32], channels: usize) -> Vec<f32> {
        match self {
            // A convolution of one tap has no state.
            _ if values.is_empty() => Vec::new(),
            Self::Rows => values.to_vec(),
            Self::Transposed => transposed(values, channels),
            Self::Tiles => in_tiles(values, channels),
        }
    }

    /// The inverse of [`ChannelLayout::apply`].
    pub fn undo(self, values: &[f32], channels: usize) -> Vec<f32> {
        match self {
            _ if values.is_empty() => Vec::new(),
            Self::Rows => values.to_vec(),
            Self::Transposed => transposed(values, values.len() / channels),
            Self::Tiles => from_tiles(values, channels),
        }
    }
}

/// The layout of each state tensor, by the step that it belongs to.
#[derive(Debug, Clone)]
pub struct StateLayouts(Vec<(ChannelLayout, usize)>);

impl StateLayouts {
    /// In the order of lanes.
    pub fn of(network: &Network) -> Self {
        let mut layouts = Self::plain(network);
        for step in network.plan.steps() {
            for (id, &layout) in step.state.iter().zip(ChannelLayout::of(step.op).1) {
                layouts.0[id.0].0 = layout;
            }
        }
        layouts
    }

    /// All in the order of [`State`].
    pub fn plain(network: &Network) -> Self {
        Self(network.state.iter().map(|tensor| (ChannelLayout::Rows, tensor.rows)).collect())
    }

    /// A state from outside in these layouts.
    pub fn apply(&self, state: &State) -> State {
        self.each(state, ChannelLayout::apply)
    }

    /// The inverse of [`StateLayouts::apply`].
    pub fn undo(&self, state: &State) -> State {
        self.each(state, ChannelLayout::undo)
    }

    fn each(&self, state: &State, change: fn(ChannelLayout, &[f32], usize) -> Vec<f32>) -> State {
        let tensors = state.tensors.iter().zip(&self.0);
        let tensors = tensors.map(|(values, &(layout, channels))| change(layout, values, channels)).collect();
        State { position: state.position, tensors }
    }
}
