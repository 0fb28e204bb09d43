//! How kernels share their work among invocations: chosen for the adapter's limits and the model's sizes.

use super::Gpu;
use crate::executor::Activations;
use crate::quant::UNIT_LEN;

/// Rows that a workgroup of the joined kernels owns: what activations are quantised by.
pub(super) const RUN: usize = 16;

/// From so many rows on even one team a few rows fills a large GPU.
pub(super) const MANY_ROWS: usize = 2048;

/// Up to so many rows of weights tiles for few tokens are too few to fill a large GPU.
pub(super) const SOME_ROWS: usize = 8192;

/// Invocations of `matvec_many.wgsl`.
pub(super) const AT_ONCE_WORKGROUP: usize = 128;

/// Bytes of workgroup memory that a kernel may plan with: what WebGPU promises, less what sums take.
const WORKGROUP_BYTES: usize = 12 << 10;

/// Invocations of a matrix-vector product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Team {
    /// Invocations that share rows, a power of two.
    pub lanes: usize,
    /// Rows that they share, at most `lanes`.
    pub rows: usize,
    /// Teams of a workgroup.
    pub teams: usize,
}

impl Default for Team {
    fn default() -> Self {
        Self { lanes: 8, rows: 1, teams: RUN }
    }
}

impl Team {
    /// Invocations of a workgroup.
    pub fn workgroup(self) -> usize {
        self.lanes * self.teams
    }

    /// Rows of a workgroup.
    pub(super) fn group_rows(self) -> usize {
        self.teams * self.rows
    }

    /// For the joined kernels, whose workgroups own a run. Measured on an H100 at 16,384 x 4096 and 4096 x 8192 Q4_K: 32
    /// lanes and one row are the fastest with 8-bit activations, two rows with f32, whose reading of x costs more.
    pub(super) fn of_run(gpu: &Gpu, columns: usize, activations: Activations) -> Self {
        if gpu.software {
            // A barrier is a switch of threads there, and neighbouring reads gain nothing.
            return Self { lanes: 1, rows: 1, teams: RUN };
        }
        let lanes = lanes(columns, 32);
        let mut rows = match activations {
            Activations::Q8 => 1,
            Activations::F32 => 2,
        };
        while RUN / rows * lanes > gpu.max_invocations {
            rows *= 2;
        }
        let rows = rows.min(lanes);
        Self { lanes, rows, teams: RUN / rows }
    }

    /// For products that write plain rows.
    pub(super) fn of_rows(gpu: &Gpu, rows: usize, columns: usize, activations: Activations) -> Self {
        if gpu.software {
            return Self { lanes: 1, rows: 1, teams: 64 };
        }
        let many = rows >= MANY_ROWS;
        // Few rows fill a large GPU only where many invocations share each.
        let lanes = lanes(columns, if many { 32 } else { 256 });
        let rows = if many && activations == Activations::F32 { 2.min(lanes) } else { 1 };
        Self { lanes, rows, teams: (128 / lanes).max(1) }
    }
}

/// Enough lanes to read long rows in few rounds; not so many that a short row leaves them idle.
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
    /// Tokens up to which the small tile is taken.
    pub(super) const FEW_TOKENS: usize = 16;

    /// Invocations of a workgroup.
    pub fn workgroup(self) -> usize {
        self.rows / self.own_rows * (self.tokens / self.own_tokens)
    }

    /// For the few tokens of batched decode: many small tiles, to fill the GPU.
    pub(super) fn few(gpu: &Gpu, integers: bool) -> Self {
        match (gpu.software, integers) {
            (true, _) => Self { rows: 16, tokens: 16, own_rows: 4, own_tokens: 4, units_at_once: 1 },
            (false, true) => Self { rows: 32, tokens: 16, own_rows: 2, own_tokens: 2, units_at_once: 4 },
            (false, false) => Self { rows: 32, tokens: 16, own_rows: 2, own_tokens: 2, units_at_once: 1 },
        }
    }

    /// For prefill. The f32 tile has 16 KiB of workgroup memory to live in, the integer one a quarter of the bytes.
    pub(super) fn many(gpu: &Gpu, integers: bool) -> Self {
        match (gpu.software, integers) {
            // Software adapters unroll a tile whole: one of 32 x 32 takes SwiftShader a second to compile for each matrix.
            (true, _) => Self::few(gpu, integers),
            (false, true) => Self { rows: 64, tokens: 64, own_rows: 4, own_tokens: 4, units_at_once: 2 },
            (false, false) => Self { rows: 64, tokens: 32, own_rows: 4, own_tokens: 4, units_at_once: 1 },
        }
    }
}

/// Invocations of `dt_scan.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DecodeScan {
    /// Channels of a workgroup, a multiple of [`RUN`].
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
    /// None where dt, B and C do not fit workgroup memory: then decode does not join these steps.
    pub(super) fn of(gpu: &Gpu, dt_rank: usize, d_state: usize) -> Option<Self> {
        let floats = dt_rank.next_multiple_of(UNIT_LEN) + 2 * d_state;
        let shape = match gpu.software {
            true => Self { channels: 16, lanes: 1 },
            false => Self { channels: 32, lanes: 8 },
        };
        (4 * floats <= WORKGROUP_BYTES - 1024).then_some(shape)
    }
}

/// Invocations of `selective_scan.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scan {
    /// Channels of a workgroup, a multiple of [`RUN`].
    pub channels: usize,
    /// Invocations that share a channel, a power of two.
    pub lanes: usize,
    /// Tokens that are brought to workgroup memory together.
    pub steps: usize,
}

impl Default for Scan {
    fn default() -> Self {
        Self { channels: 16, lanes: 4, steps: 4 }
    }
}

impl Scan {
    pub(super) fn of(gpu: &Gpu, subgroup: usize, d_state: usize) -> Self {
        let (channels, lanes) = match (gpu.software, subgroup >= 4) {
            (true, _) => (RUN, 1),
            // Without shuffles a sum over lanes would cost several barriers a token.
            (false, false) => (64, 1),
            (false, true) => (RUN, 4),
        };
        let mut steps = 16;
        while 4 * steps * (2 * d_state + 3 * channels) > WORKGROUP_BYTES {
            steps /= 2;
        }
        Self { channels, lanes, steps }
    }
}
