//! A rank's slice of a model, as tensor parallelism cuts it: some channels of every layer, and some rows of the embedding and
//! of the head.
//!
//! A rank owns its channels' rows of W_in, the convolution, W_dt, A and D, and their columns of W_x and W_out. What W_x and W_out
//! give is then a partial sum, and so is a row of the embedding, which one rank has and the others take as zero: three places
//! where ranks add up what they have, twice in each layer and once before the first. Norms are small and belong to all.

use std::ops::Range;

use super::{Config, LayerWeights, Weight, WeightId, Weights};

/// Which rows and columns of a tensor a rank keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// One range, or two for W_in, which has x first and then z.
    pub rows: Vec<Range<usize>>,
    /// The columns of each of these rows.
    pub columns: Range<usize>,
}

/// What one rank of several owns.
#[derive(Debug, Clone)]
pub struct Slice {
    /// Which of the ranks, from 0.
    pub rank: usize,
    /// How many there are.
    pub ranks: usize,
    /// Its channels.
    pub channels: Range<usize>,
    /// Its rows of the embedding and of the head.
    pub tokens: Range<usize>,
    /// The model's sizes with only these channels.
    pub config: Config,
    /// The model's weights with only these parts.
    pub weights: Weights,
}

/// Channels are dealt out in lanes of a tile, tokens too.
const LANES: usize = 16;

impl Slice {
    /// The most ranks that a model can be cut for: each has some channels and some tokens.
    pub fn most_ranks(config: &Config, weights: &Weights) -> usize {
        config.d_inner.div_ceil(unit(weights)).min(weights.vocab_size.div_ceil(LANES))
    }

    /// The slice of rank `rank` of `ranks`.
    ///
    /// # Panics
    /// Where there are more ranks than [`Slice::most_ranks`], or no such rank.
    pub fn new(config: &Config, weights: &Weights, rank: usize, ranks: usize) -> Self {
        let most = Self::most_ranks(config, weights);
        assert!(rank < ranks && ranks <= most, "rank {rank} of {ranks}, of a model for at most {most}");
        let channels = share(config.d_inner, unit(weights), rank, ranks);
        let tokens = share(weights.vocab_size, LANES, rank, ranks);
        let local = cut(weights, config.d_inner, &channels, &tokens);
        let config = Config { d_inner: channels.len(), ..config.clone() };
        Self { rank, ranks, channels, tokens, config, weights: local }
    }

    /// Whether a product with this weight is a partial sum.
    pub fn is_partial(&self, id: WeightId) -> bool {
        self.weights.layers.iter().any(|layer| id == layer.ssm_x || id == layer.ssm_out)
    }
}

/// Channels are cut where every tensor that has them as columns is between two blocks.
fn unit(weights: &Weights) -> usize {
    let columns = weights.layers.iter().flat_map(|l| [l.ssm_x, l.ssm_out, l.ssm_d, l.ssm_dt_bias, l.conv1d_bias]);
    // Lengths of blocks are powers of two, so the longest is a multiple of all.
    columns.map(|id| weights.get(id).tensor.dtype.block_len()).fold(LANES, usize::max)
}

/// The share of a rank in `count`, in whole units but for the last one's end.
fn share(count: usize, unit: usize, rank: usize, ranks: usize) -> Range<usize> {
    let units = count.div_ceil(unit);
    let end = |rank: usize| (units * rank / ranks * unit).min(count);
    end(rank)..end(rank + 1)
}

fn cut(weights: &Weights, d_inner: usize, channels: &Range<usize>, tokens: &Range<usize>) -> Weights {
    let mut local = weights.clone();
    let mut keep = |id: WeightId, part: fn(&Weight, usize, &Range<usize>) -> Part, range: &Range<usize>| {
        let weight = &mut local.list[id.0];
        let part = part(weight, d_inner, range);
        (weight.rows, weight.columns) = (part.rows.iter().map(Range::len).sum(), part.columns.len());
        weight.part = Some(part);
    };
    let rows = |w: &Weight, _: usize, range: &Range<usize>| Part { rows: vec![range.clone()], columns: 0..w.columns };
    let columns = |w: &Weight, _: usize, range: &Range<usize>| {
        let all = 0..w.rows;
        Part { rows: vec![all], columns: range.clone() }
    };
    let halves = |w: &Weight, d_inner: usize, range: &Range<usize>| {
        let second = d_inner + range.start..d_inner + range.end;
        Part { rows: vec![range.clone(), second], columns: 0..w.columns }
    };
    for layer in &weights.layers {
        let LayerWeights { conv1d_weight, conv1d_bias, ssm_dt, ssm_dt_bias, ssm_a, ssm_d, ssm_x, ssm_out, .. } = *layer;
        keep(layer.ssm_in, halves, channels);
        [conv1d_weight, ssm_dt, ssm_a].into_iter().for_each(|id| keep(id, rows, channels));
        [conv1d_bias, ssm_dt_bias, ssm_d, ssm_x, ssm_out].into_iter().for_each(|id| keep(id, columns, channels));
    }
    keep(weights.token_embd, rows, tokens);
    if !weights.tied_head() {
        keep(weights.output, rows, tokens);
    }
    local.vocab_size = tokens.len();
    local
}
