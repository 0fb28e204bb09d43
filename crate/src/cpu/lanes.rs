//! Where the vectorised kernels keep what belongs to channels: side by side, so that a lane is a channel.
//!
//! Outside, a state always has the order of [`State`]; only the fast executor turns it round, when it takes one in or out.

use super::tiles::ROWS;
use crate::model::{Config, State};

/// (channels, n) as (n, channels).
pub fn transposed(values: &[f32], channels: usize) -> Vec<f32> {
    let n = values.len() / channels;
    (0..n).flat_map(|i| values.chunks_exact(n).map(move |channel| channel[i])).collect()
}

/// (channels, n) as (channels / 16, n, 16), filled up with zeros.
pub fn in_tiles(values: &[f32], channels: usize) -> Vec<f32> {
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

/// Floats of one layer's states in tiles.
pub fn ssm_state_len(config: &Config) -> usize {
    config.d_inner.next_multiple_of(ROWS) * config.d_state
}

/// A state in the order of lanes: conv (n_layers, d_conv - 1, d_inner), ssm (n_layers, tiles, d_state, 16).
pub fn state_to_lanes(state: &State, config: &Config) -> State {
    let conv = layers(&state.conv, config.conv_state_len(), |layer| transposed(layer, config.d_inner));
    let ssm = layers(&state.ssm, config.ssm_state_len(), |layer| in_tiles(layer, config.d_inner));
    State { position: state.position, conv, ssm }
}

/// The inverse of [`state_to_lanes`].
pub fn state_from_lanes(state: &State, config: &Config) -> State {
    let conv = layers(&state.conv, config.conv_state_len(), |layer| transposed(layer, config.d_conv - 1));
    let ssm = layers(&state.ssm, ssm_state_len(config), |layer| from_tiles(layer, config.d_inner));
    State { position: state.position, conv, ssm }
}

fn layers(values: &[f32], length: usize, change: impl Fn(&[f32]) -> Vec<f32>) -> Vec<f32> {
    // A convolution of one tap has no state.
    if length == 0 { Vec::new() } else { values.chunks_exact(length).flat_map(change).collect() }
}
