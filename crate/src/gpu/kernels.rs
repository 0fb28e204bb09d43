//! The kernel table, and how a kernel's WGSL is put together.

use super::units::{has_quants, unit_source};
use crate::quant::{DType, UNIT_LEN};

/// One kernel: `shaders/NAME.wgsl`, and its twin in `cpu::kernels`.
#[derive(Debug)]
pub struct Kernel {
    /// Its name.
    pub name: &'static str,
    source: &'static str,
    /// Read-only storage buffers, from binding 2 on.
    pub inputs: u32,
    /// Writable storage buffers, after the inputs.
    pub outputs: u32,
    /// True where its first input holds quantised weights, so that a type's units are composed in.
    pub decodes: bool,
}

macro_rules! kernel {
    ($name:literal, inputs $inputs:literal, outputs $outputs:literal, decodes $decodes:literal) => {
        Kernel {
            name: $name,
            source: include_str!(concat!("shaders/", $name, ".wgsl")),
            inputs: $inputs,
            outputs: $outputs,
            decodes: $decodes,
        }
    };
}

/// Every kernel.
pub static KERNELS: [Kernel; 7] = [EMBED, RMS_NORM, MATVEC, MATVEC_ROW, MATMUL, CONV1D_SILU, SELECTIVE_SCAN];

pub(super) const EMBED: Kernel = kernel!("embed", inputs 2, outputs 1, decodes true);
pub(super) const RMS_NORM: Kernel = kernel!("rms_norm", inputs 2, outputs 1, decodes false);
pub(super) const MATVEC: Kernel = kernel!("matvec", inputs 2, outputs 1, decodes true);
pub(super) const MATVEC_ROW: Kernel = kernel!("matvec_row", inputs 2, outputs 1, decodes true);
pub(super) const MATMUL: Kernel = kernel!("matmul", inputs 2, outputs 1, decodes true);
pub(super) const CONV1D_SILU: Kernel = kernel!("conv1d_silu", inputs 3, outputs 2, decodes false);
pub(super) const SELECTIVE_SCAN: Kernel = kernel!("selective_scan", inputs 6, outputs 2, decodes false);

/// Rows and tokens of one workgroup of `matmul.wgsl` (its `TILE`).
pub(super) const MATMUL_TILE: usize = 32;
/// Invocations of one workgroup of `matvec.wgsl` (its `TEAMS * LANES`), as many as WebGPU promises.
const MATVEC_WORKGROUP: usize = 256;
/// From so many rows on a team takes several of them.
const MANY_ROWS: usize = 2048;
/// Invocations of one workgroup of the kernels that give an invocation a channel, or a unit.
pub(super) const WORKGROUP: usize = 64;

/// What a kernel is composed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Variant {
    /// Type of the weights that it reads.
    pub dtype: DType,
    /// States per channel.
    pub d_state: usize,
    /// Taps of the convolution.
    pub d_conv: usize,
    /// How matrix-vector products read x and share rows.
    pub dot: Dot,
    /// True for an adapter that is software, where each invocation costs a switch of threads at every barrier.
    pub software: bool,
}

/// How matrix-vector products read x, and how `matvec` shares rows among invocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dot {
    /// True where every row of x starts at a multiple of four floats and is whole vectors of four.
    pub x_in_vectors: bool,
    /// Invocations that share rows, a power of two.
    pub lanes: usize,
    /// Rows that they share.
    pub rows: usize,
}

impl Default for Dot {
    fn default() -> Self {
        Self { x_in_vectors: false, lanes: 64, rows: 1 }
    }
}

impl Dot {
    /// The way for a (rows, columns) matrix.
    pub fn of(rows: usize, columns: usize, x_in_vectors: bool) -> Self {
        // Enough lanes to read long rows in few rounds; not so many that a short row leaves them idle.
        let lanes = columns.div_ceil(UNIT_LEN).next_power_of_two().clamp(4, 64);
        // Several rows share one reading of x where there are rows enough to fill a large GPU all the same.
        let rows = if rows >= MANY_ROWS { 4 } else { 1 };
        Self { x_in_vectors, lanes, rows }
    }

    fn teams(self) -> usize {
        MATVEC_WORKGROUP / self.lanes
    }

    /// Rows of one workgroup.
    pub(super) fn group_rows(self) -> usize {
        self.teams() * self.rows
    }
}

/// How a product of weights of this type reads x and multiplies a unit by it.
fn dot_source(dtype: DType, dot: Dot) -> String {
    macro_rules! source {
        ($name:literal) => {
            include_str!(concat!("shaders/dot/", $name, ".wgsl"))
        };
    }
    let x = if dot.x_in_vectors { source!("x_vectors") } else { source!("x_values") };
    let product = if has_quants(dtype) { source!("quants") } else { source!("values") };
    [x, source!("unit_x"), product].concat()
}

/// A kernel's whole WGSL: sizes as constants (arrays of `override` size fail in Safari), the units of `dtype` where the
/// kernel reads weights of any type, then its file.
pub fn compose(kernel: &Kernel, variant: Variant) -> String {
    let Variant { dtype, d_state, d_conv, dot, software } = variant;
    let mut wgsl = String::new();
    match kernel.name {
        "conv1d_silu" => wgsl += &format!("const D_CONV: u32 = {d_conv}u;\n"),
        "selective_scan" => wgsl += &format!("const D_STATE: u32 = {d_state}u;\n"),
        "rms_norm" => wgsl += &format!("const WORKGROUP: u32 = {}u;\n", if software { 8 } else { 256 }),
        "matvec" => {
            wgsl += &format!("const LANES: u32 = {}u;\nconst TEAMS: u32 = {}u;\n", dot.lanes, dot.teams());
            wgsl += &format!("const ROWS: u32 = {}u;\n", dot.rows);
        }
        _ => {}
    }
    if kernel.decodes {
        wgsl += &unit_source(dtype);
    }
    if kernel.name.starts_with("matvec") {
        wgsl += &dot_source(dtype, dot);
    }
    wgsl + kernel.source
}
