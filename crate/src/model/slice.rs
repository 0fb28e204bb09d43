//! A rank's slice of a model, as tensor parallelism cuts it: its share of each of the network's axes.
//!
//! The rows that follow an axis are shared out among the ranks, and the columns that follow it belong to the rank that has those
//! rows. The product of a matrix that is cut in columns is then a partial sum, and so is a row of the embedding, which one rank has
//! and the others take as zero: there the ranks all-reduce. Norms are small, and every rank has them.

use std::ops::Range;

use super::{AxisId, Cut, ModelFile, Network, Op, State, Step, Weight, Weights};
use crate::quant::TILE_ROWS;

/// Which rows and columns of a tensor a rank keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightSlice {
    /// One range for each time that the axis repeats.
    pub rows: Vec<Range<usize>>,
    /// The columns of each of these rows.
    pub columns: Range<usize>,
}

/// What one rank of several owns.
#[derive(Debug, Clone)]
pub struct Slice {
    /// The rank, from 0.
    pub rank: usize,
    /// The number of ranks.
    pub ranks: usize,
    /// Its share of each of the network's axes.
    pub shares: Vec<Range<usize>>,
    /// The network with only these.
    pub network: Network,
    /// The model's weights, each with its slice.
    pub weights: Weights,
}

impl Slice {
    /// The most ranks that a model can be cut for: each has a share of every axis.
    pub fn max_ranks(network: &Network, weights: &Weights) -> usize {
        let units = network.axes.iter().enumerate();
        let units = units.map(|(id, axis)| axis.length.div_ceil(unit(AxisId(id), network, weights)));
        units.min().unwrap_or(1)
    }

    /// The slice of rank `rank` of `ranks`.
    ///
    /// # Panics
    /// Where there are more ranks than [`Slice::max_ranks`], or no such rank.
    pub fn new(network: &Network, weights: &Weights, rank: usize, ranks: usize) -> Self {
        let most = Self::max_ranks(network, weights);
        assert!(rank < ranks && ranks <= most, "rank {rank} of {ranks}, of a model for at most {most}");
        let axes = network.axes.iter().enumerate();
        let shares = axes.map(|(id, axis)| share(axis.length, unit(AxisId(id), network, weights), rank, ranks));
        let shares: Vec<_> = shares.collect();
        let weights = cut_weights(network, weights, &shares);
        let network = cut_network(network, &shares);
        Self { rank, ranks, shares, network, weights }
    }

    /// The slices of all ranks.
    ///
    /// # Panics
    /// As of [`Slice::new`].
    pub fn all(file: &ModelFile, ranks: usize) -> Vec<Self> {
        (0..ranks).map(|rank| Self::new(&file.network, &file.weights, rank, ranks)).collect()
    }

    /// Whether a step gives a partial sum.
    pub fn is_partial(&self, step: &Step) -> bool {
        let cuts = step.weights.iter().map(|id| self.network.tensors[id.0].cut);
        match step.op {
            Op::Embed => cuts.into_iter().any(|cut| matches!(cut, Cut::Rows { .. })),
            Op::MatMul { .. } => cuts.into_iter().any(|cut| matches!(cut, Cut::Columns { .. })),
            _ => false,
        }
    }

    /// This rank's slice of a state of the whole network.
    pub fn slice_of_state(&self, whole: &Network, state: &State) -> State {
        let tensors = whole.state.iter().zip(&state.tensors).map(|(spec, values)| {
            let Some(axis) = spec.axis else { return values.clone() };
            let each = spec.floats() / whole.axes[axis.0].length;
            let Range { start, end } = self.shares[axis.0];
            values[start * each..end * each].to_vec()
        });
        State { position: state.position, tensors: tensors.collect() }
    }
}

/// An axis is cut between tiles, and where every tensor that has it as columns is between two blocks: so many of its indices.
fn unit(axis: AxisId, network: &Network, weights: &Weights) -> usize {
    let length = network.axes[axis.0].length;
    // So many indices of the axis make whole groups of so many rows or columns.
    let indices = |lines: usize, group: usize| group / gcd(group, lines / length);
    let along = network.tensors.iter().zip(weights.all()).filter_map(|(spec, weight)| match spec.cut {
        Cut::Columns { axis: columns } if columns == axis => {
            Some(indices(weight.columns, weight.tensor.dtype.block_len().max(TILE_ROWS)))
        }
        Cut::Rows { axis: rows, repeats } if rows == axis => Some(indices(weight.rows / repeats, TILE_ROWS)),
        _ => None,
    });
    // Lengths of blocks are powers of two, so the longest is a multiple of all.
    along.fold(1, usize::max)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The share of a rank in `count`, in whole units but for the last one's end.
fn share(count: usize, unit: usize, rank: usize, ranks: usize) -> Range<usize> {
    let units = count.div_ceil(unit);
    let end = |rank: usize| (units * rank / ranks * unit).min(count);
    end(rank)..end(rank + 1)
}

fn cut_weights(network: &Network, weights: &Weights, shares: &[Range<usize>]) -> Weights {
    let cut = |(weight, cut): (&Weight, Cut)| {
        let mut weight = weight.clone();
        let slice = match cut {
            Cut::Whole => return weight,
            Cut::Rows { axis, repeats } => {
                let (length, Range { start, end }) = (weight.rows / repeats, shares[axis.0].clone());
                let each = length / network.axes[axis.0].length;
                let rows = (0..repeats).map(|i| i * length + start * each..i * length + end * each).collect();
                WeightSlice { rows, columns: 0..weight.columns }
            }
            Cut::Columns { axis } => {
                let each = weight.columns / network.axes[axis.0].length;
                let Range { start, end } = shares[axis.0];
                let all = 0..weight.rows;
                WeightSlice { rows: vec![all], columns: start * each..end * each }
            }
        };
        (weight.rows, weight.columns) = (slice.rows.iter().map(Range::len).sum(), slice.columns.len());
        weight.slice = Some(slice);
        weight
    };
    let cuts = network.tensors.iter().map(|spec| spec.cut);
    Weights { list: weights.all().iter().zip(cuts).map(cut).collect() }
}

/// The lists with the lengths of a rank's share. The steps stay the same: their sizes follow from what they name.
fn cut_network(network: &Network, shares: &[Range<usize>]) -> Network {
    let mut local = network.clone();
    let scaled = |length: usize, axis: AxisId| length / network.axes[axis.0].length * shares[axis.0].len();
    for (axis, share) in local.axes.iter_mut().zip(shares) {
        axis.length = share.len();
    }
    for tensor in &mut local.tensors {
        match tensor.cut {
            Cut::Whole => {}
            Cut::Rows { axis, .. } => tensor.rows = scaled(tensor.rows, axis),
            Cut::Columns { axis } => tensor.columns = scaled(tensor.columns, axis),
        }
    }
    for tensor in &mut local.state {
        tensor.rows = tensor.axis.map_or(tensor.rows, |axis| scaled(tensor.rows, axis));
    }
    for buffer in &mut local.plan.buffers {
        buffer.width = buffer.axis.map_or(buffer.width, |axis| scaled(buffer.width, axis));
    }
    // The head's rows are tokens.
    local.vocab_size = local.plan.buffer(local.plan.logits).width;
    local
}
