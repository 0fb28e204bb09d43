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
}

impl Default for Tile {
    fn default() -> Self {
        Self { rows: 32, tokens: 16, own_rows: 2, own_tokens: 2, units_at_once: 1 }
    }
}

impl Tile {
    /// Invocations of a workgroup.
    pub fn workgroup(self) -> usize {
        self.rows / self.own_rows * (self.tokens / self.own_tokens)
    }

    /// For a small batch: many small tiles, to fill the GPU.
    pub fn small_batch(gpu: &Gpu, integers: bool) -> Self {
        match (gpu.software, integers) {
            (true, _) => Self { rows: 16, tokens: SMALL_BATCH, own_rows: 4, own_tokens: 4, units_at_once: 1 },
            (false, true) => Self { rows: 32, tokens: SMALL_BATCH, own_rows: 2, own_tokens: 2, units_at_once: 4 },
            (false, false) => Self { rows: 32, tokens: SMALL_BATCH, own_rows: 2, own_tokens: 2, units_at_once: 1 },
        }
    }

    /// For prefill. The f32 tile has 16 KiB of workgroup memory to live in, the integer one a quarter of the bytes.
    pub fn prefill(gpu: &Gpu, integers: bool) -> Self {
        match (gpu.software, integers) {
            // Software adapters unroll a tile whole: one of 32 x 32 takes SwiftShader a second to compile for each matrix.
            (true, _) => Self::small_batch(gpu, integers),
            (false, true) => Self { rows: 64, tokens: 64, own_rows: 4, own_tokens: 4, units_at_once: 2 },
            (false, false) => Self { rows: 64, tokens: 32, own_rows: 4, own_tokens: 4, units_at_once: 1 },
        }
    }
}

/// Invocations of `dt_scan.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DecodeScan {
    /// Channels of a workgroup, a multiple of [`RUN_LEN`].
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
    /// Channels of a workgroup, a multiple of [`RUN_LEN`].
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

/// Invocations of `wkv7.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WkvScan {
    /// Invocations that share a row of a head's state, a power of two that divides its quads.
    pub lanes: usize,
    /// Tokens that are brought to workgroup memory together, at most four.
    pub steps: usize,
}

impl Default for WkvScan {
    fn default() -> Self {
        Self { lanes: 4, steps: 4 }
    }
}

impl WkvScan {
    /// Bytes of workgroup memory that its arrays may take; sums over 256 invocations take 5 KiB more where nothing shuffles.
    const BYTES: usize = 9 << 10;

    /// For `subgroup` lanes that can shuffle; heads have at most 256 channels.
    pub fn of(gpu: &Gpu, subgroup: usize, head_size: usize) -> Self {
        let mut lanes = match gpu.software {
            // A sum over lanes would cost several barriers a token where there are no shuffles.
            false if subgroup >= 4 => 4,
            _ => 1,
        };
        while lanes > 1 && lanes * head_size.next_power_of_two() > gpu.max_invocations.min(256) {
            lanes /= 2;
        }
        let mut steps = 4;
        // Six vectors of what a token brings, and what it made.
        while steps > 1 && 4 * 7 * steps * head_size > Self::BYTES {
            steps /= 2;
        }
        Self { lanes, steps }
    }

    /// Invocations of a workgroup: a head's rows, to a power of two, which sums over all of them need.
    pub fn workgroup(self, head_size: usize) -> usize {
        self.lanes * head_size.next_power_of_two()
    }
}
