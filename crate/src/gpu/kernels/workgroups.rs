//! How kernels share their work among invocations: chosen for the adapter's limits and the model's sizes.
//!
//! Words: a lane is an invocation within the group of neighbours that share a row or a channel; a run is the
//! [`RUN_LEN`] columns by which activations are quantised; a tile is the part of a matrix product that a workgroup computes.

use crate::executor::Activations;
use crate::gpu::device::Gpu;
use crate::quant::UNIT_LEN;

/// Columns of a run, half a unit: activations in 8 bits have a scale for each. A workgroup of a fused kernel owns whole runs of rows.
pub const RUN_LEN: usize = UNIT_LEN / 2;

/// Runs that a row of activations is padded to: whole units of weights.
pub fn runs(columns: usize) -> usize {
    columns.div_ceil(UNIT_LEN) * (UNIT_LEN / RUN_LEN)
}

/// Rows that a workgroup of a fused kernel owns at the most, whole runs: a shard has a multiple of them.
pub const MAX_FUSED_ROWS: usize = 2 * RUN_LEN;

/// Lanes of a product at the most, where rows alone fill the GPU: the subgroup of most adapters.
pub const MAX_LANES: usize = 32;

/// Tokens, of a chunk or of a batch of sequences, up to which a product is a small batch: it takes the small tiles, or a
/// matrix-vector kernel. `matvec_many.wgsl` is written out for as many.
pub const SMALL_BATCH: usize = 16;

/// Mixtures of a token shift at the most that one dispatch makes with the norm: workgroup memory holds them.
pub const MAX_MIXTURES: usize = 8;

/// Rows from which on a large GPU is filled even where a group of lanes takes a few rows.
pub const MANY_ROWS: usize = 2048;

/// Rows of weights up to which the tiles of a small batch are too few to fill a large GPU.
pub const SOME_ROWS: usize = 8192;

/// Invocations of `matvec_many.wgsl`.
pub const MATVEC_MANY_WORKGROUP: usize = 128;

/// Bytes of workgroup memory that a kernel may plan with: what WebGPU promises, less what sums take.
const WORKGROUP_BYTES: usize = 12 << 10;

/// The workgroup of a matrix-vector product: groups of neighbouring lanes, each of which multiplies a few rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LaneGroups {
    /// Invocations of a group, a power of two.
    pub lanes: usize,
    /// Rows that the lanes of a group share, at most `lanes`.
    pub rows: usize,
    /// Groups of a workgroup.
    pub groups: usize,
}

impl Default for LaneGroups {
    fn default() -> Self {
        Self { lanes: 8, rows: 1, groups: RUN_LEN }
    }
}

impl LaneGroups {
    /// Invocations of a workgroup.
    pub fn workgroup(self) -> usize {
        self.lanes * self.groups
    }

    /// Rows of a workgroup.
    pub fn workgroup_rows(self) -> usize {
        self.groups * self.rows
    }

    /// For the fused kernels whose workgroups own a run of rows. Measured on an H100 at 16,384 x 4096 and 4096 x 8192 Q4_K: 32
    /// lanes and one row are the fastest with 8-bit activations, two rows with f32, whose reading of x costs more.
    pub fn for_run(gpu: &Gpu, columns: usize, activations: Activations) -> Self {
        if gpu.software {
            // A barrier is a switch of threads there, and neighbouring reads gain nothing.
            return Self { lanes: 1, rows: 1, groups: RUN_LEN };
        }
        let lanes = lanes(columns, MAX_LANES);
        let mut rows = match activations {
            Activations::Q8 => 1,
            Activations::F32 => 2,
        };
        while RUN_LEN / rows * lanes > gpu.max_invocations {
            rows *= 2;
        }
        let rows = rows.min(lanes);
        Self { lanes, rows, groups: RUN_LEN / rows }
    }

    /// For products that write plain rows.
    pub fn for_rows(gpu: &Gpu, rows: usize, columns: usize, activations: Activations) -> Self {
        if gpu.software {
            return Self { lanes: 1, rows: 1, groups: 64 };
        }
        let many = rows >= MANY_ROWS;
        // Few rows fill a large GPU only where many invocations share each.
        let lanes = lanes(columns, if many { MAX_LANES } else { 256 });
        let rows = if many && activations == Activations::F32 { 2.min(lanes) } else { 1 };
        Self { lanes, rows, groups: (128 / lanes).max(1) }
    }

    /// Invocations of a grouped product, whose segments have lane groups of their own within it.
    const GROUPED: usize = 128;

    /// For a segment of a grouped product of `rows` rows in all. The segments fill the GPU together: one of few rows takes no more
    /// lanes than the others, so that all of its workgroups end when theirs do.
    pub fn for_segment(gpu: &Gpu, rows: usize, columns: usize, activations: Activations) -> Self {
        if gpu.software {
            return Self { lanes: 1, rows: 1, groups: 64 };
        }
        let many = rows >= MANY_ROWS;
        let lanes = lanes(columns, if many { MAX_LANES } else { Self::GROUPED });
        let rows = if many && activations == Activations::F32 { 2.min(lanes) } else { 1 };
        Self { lanes, rows, groups: Self::GROUPED / lanes }
    }
}

/// Enough lanes to read long rows in few rounds, and few enough that a short row leaves none idle.
fn lanes(columns: usize, most: usize) -> usize {
    columns.div_ceil(UNIT_LEN).next_power_of_two().min(most)
}

/// Tile of a matrix product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Rows of weights.
    pub rows: usize,
    /// Tokens.
    pub tokens: usize,
    /// Rows of an invocation.
    pub own_rows: usize,
    /// Tokens of an invocation.
    pub own_tokens: usize,
    /// Units of a row that are brought to workgroup memory together.
    pub units_at_once: usize,
    /// Parts, a power of two, that the columns are divided into: each has invocations of its own, whose sums are added at the end.
    pub slices: usize,
}

impl Default for Tile {
    fn default() -> Self {
        Self::of([32, 16], [4, 4], 1, 1)
    }
}

/// Invocations that keep a large GPU busy with a product: a tile that leaves fewer is too large. An H100 has 132 multiprocessors.
const BUSY: usize = 48 << 10;

/// Tokens of a chunk of a long prompt, for which tiles are chosen.
const CHUNK_TOKENS: usize = 512;

impl Tile {
    const fn of(
        [rows, tokens]: [usize; 2],
        [own_rows, own_tokens]: [usize; 2],
        units_at_once: usize,
        slices: usize,
    ) -> Self {
        Self { rows, tokens, own_rows, own_tokens, units_at_once, slices }
    }

    /// Tiles of values, from the one that reads least for a product to the one that gives most invocations: its 16 x 16 products of a
    /// vector of columns are 16 invocations, and 16 slices of the columns work beside each other.
    const VALUES: [Self; 3] =
        [Self::of([64, 32], [4, 4], 1, 2), Self::of([32, 32], [4, 4], 1, 4), Self::of([16, 16], [4, 4], 2, 16)];

    /// The same of quants, a quarter of the bytes.
    const QUANTS: [Self; 3] =
        [Self::of([64, 64], [4, 8], 2, 1), Self::of([32, 32], [4, 4], 4, 2), Self::of([16, 16], [4, 4], 8, 8)];

    /// Software adapters unroll a tile whole: one of 32 x 32 takes SwiftShader a second to compile for each matrix.
    const SOFTWARE: Self = Self::of([16, SMALL_BATCH], [4, 4], 1, 1);

    /// Invocations of a workgroup.
    pub fn workgroup(self) -> usize {
        self.rows / self.own_rows * (self.tokens / self.own_tokens) * self.slices
    }

    /// Invocations of a product.
    fn invocations(self, rows: usize, tokens: usize) -> usize {
        rows.div_ceil(self.rows) * tokens.div_ceil(self.tokens) * self.workgroup()
    }

    /// All that a product may have on hardware, for a small batch or a chunk.
    pub fn all(integers: bool) -> Vec<Self> {
        match integers {
            true => [&Self::QUANTS[..], &[Self::SMALL_QUANTS]].concat(),
            false => [&Self::VALUES[..], &[Self::SMALL_VALUES]].concat(),
        }
    }

    const SMALL_QUANTS: Self = Self::of([32, SMALL_BATCH], [2, 2], 4, 1);
    const SMALL_VALUES: Self = Self::of([32, SMALL_BATCH], [4, 4], 2, 8);

    /// For a small batch of a matrix of some rows: small tiles, to fill the GPU.
    pub fn small_batch(gpu: &Gpu, integers: bool, rows: usize) -> Self {
        let [.., smallest] = Self::VALUES;
        match (gpu.software, integers) {
            (true, _) => Self::SOFTWARE,
            (false, true) => Self::SMALL_QUANTS,
            (false, false) if Self::SMALL_VALUES.invocations(rows, SMALL_BATCH) >= BUSY => Self::SMALL_VALUES,
            (false, false) => smallest,
        }
    }

    /// For prefill of a matrix: the largest tile that keeps a large GPU busy with its rows and those of the products that run beside it.
    /// Few rows are shared by slices of the columns.
    pub fn prefill(gpu: &Gpu, integers: bool, rows: usize) -> Self {
        if gpu.software {
            return Self::SOFTWARE;
        }
        let tiles = if integers { Self::QUANTS } else { Self::VALUES };
        let [.., smallest] = tiles;
        tiles.into_iter().find(|tile| tile.invocations(rows, CHUNK_TOKENS) >= BUSY).unwrap_or(smallest)
    }
}

/// Invocations of `dt_scan.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DecodeScan {
    /// Channels of a workgroup, a multiple of `RUN_LEN`.
    pub channels: usize,
    /// Invocations that share a channel, a power of two.
    pub lanes: usize,
}

impl Default for DecodeScan {
    fn default() -> Self {
        Self { channels: 16, lanes: 4 }
    }
}

impl DecodeScan {
    /// None where dt, B and C do not fit workgroup memory: then decode does not fuse these steps.
    pub fn of(gpu: &Gpu, dt_rank: usize, d_state: usize) -> Option<Self> {
        let floats = dt_rank.next_multiple_of(UNIT_LEN) + 2 * d_state;
        let shape = match gpu.software {
            true => Self { channels: RUN_LEN, lanes: 1 },
            false => Self { channels: MAX_FUSED_ROWS, lanes: 8 },
        };
        (4 * floats <= WORKGROUP_BYTES - 1024).then_some(shape)
    }
}

/// Invocations of `selective_scan.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PrefillScan {
    /// Channels of a workgroup, a multiple of `RUN_LEN`.
    pub channels: usize,
    /// Invocations that share a channel, a power of two.
    pub lanes: usize,
    /// Tokens that are brought to workgroup memory together.
    pub steps: usize,
}

impl Default for PrefillScan {
    fn default() -> Self {
        Self { channels: 16, lanes: 4, steps: 4 }
    }
}

impl PrefillScan {
    /// For `subgroup` lanes that can shuffle.
    pub fn of(gpu: &Gpu, subgroup: usize, d_state: usize) -> Self {
        let (channels, lanes) = match (gpu.software, subgroup >= 4) {
            (true, _) => (RUN_LEN, 1),
            // Without shuffles a sum over lanes would cost several barriers a token.
            (false, false) => (64, 1),
            (false, true) => (RUN_LEN, 4),
        };
        let mut steps = 16;
        while 4 * steps * (2 * d_state + 3 * channels) > WORKGROUP_BYTES {
            steps /= 2;
        }
        Self { channels, lanes, steps }
    }
}

/// Invocations of `wkv7.wgsl` and `wkv7_gate.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WkvScan {
    /// Invocations that share rows of a head's state, of one subgroup: a power of two that divides the quads of a row.
    pub lanes: usize,
    /// Rows that they share, a power of two up to 16, which divides every head.
    pub rows: usize,
    /// Rows of a workgroup, a multiple of `rows` that divides the head.
    pub part: usize,
    /// Tokens that are brought to workgroup memory together.
    pub steps: usize,
}

impl Default for WkvScan {
    fn default() -> Self {
        Self { lanes: 4, rows: 1, part: RUN_LEN, steps: 4 }
    }
}

impl WkvScan {
    /// Bytes of workgroup memory that the tokens of a block take at most, less than WebGPU promises.
    const BYTES: usize = 15 << 10;
    /// Lanes that must be able to shuffle: without, a sum over lanes would cost several barriers a token.
    const LANES: usize = 4;

    /// For a chunk of tokens: heads of 16 to 256 channels, whole runs, and workgroups of at most `invocations`, `subgroup` of which can
    /// shuffle. Each token waits for the one before, so that what counts is how long one takes: four lanes, one row and half a head of
    /// 64 were among the fastest (`tests/record/2026-11-27-gpu-prefill.md`).
    pub fn for_chunk(subgroup: usize, invocations: usize, head_size: usize) -> Self {
        // Invocations are a multiple of a row's quads.
        let part = if subgroup < Self::LANES || !head_size.is_power_of_two() { head_size } else { head_size.min(32) };
        Self::new(subgroup, invocations, head_size, (1, part, 8))
    }

    /// For one token, whose head is one workgroup's, because the norm of all its rows follows.
    pub fn for_token(subgroup: usize, invocations: usize, head_size: usize) -> Self {
        Self::new(subgroup, invocations, head_size, (2, head_size, 1))
    }

    fn new(subgroup: usize, invocations: usize, head_size: usize, (rows, part, steps): (usize, usize, usize)) -> Self {
        let (lanes, mut rows) = if subgroup < Self::LANES { (1, 1) } else { (Self::LANES, rows) };
        while part / rows * lanes > invocations {
            rows *= 2;
        }
        // Five vectors by which a state changes, its values, their squares by quads, and the lanes' parts of y.
        let step_bytes = 4 * (6 * head_size + head_size / 4 + part * lanes);
        Self { lanes, rows, part, steps: (Self::BYTES / step_bytes).clamp(1, steps) }
    }

    /// Invocations of a workgroup.
    pub fn workgroup(self) -> usize {
        self.part / self.rows * self.lanes
    }
}
