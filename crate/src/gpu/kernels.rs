//! The kernel table, and how a kernel's WGSL is put together.

use crate::quant::DType;
use crate::sampler::MAX_RECENT;

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
    /// True where its first input holds quantised weights, so that a type's `decode4` is composed in.
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

/// Those that choose tokens from logits. No step of a plan runs them, and their twins are in `sampler`.
pub static SAMPLING_KERNELS: [Kernel; 2] = [SAMPLE_MAXIMA, SAMPLE_CHOOSE];

pub(super) const SAMPLE_MAXIMA: Kernel = kernel!("sample_maxima", inputs 3, outputs 2, decodes false);
pub(super) const SAMPLE_CHOOSE: Kernel = kernel!("sample_choose", inputs 4, outputs 4, decodes false);

/// Parts that a vocabulary is read in: `sample_maxima` runs a workgroup for each, and `sample_choose` reads only those that
/// hold likely tokens.
pub(super) const SAMPLING_CHUNKS: usize = 256;
/// Words of a row's history before its counts: two, and the ring.
pub(super) const SAMPLING_HISTORY: usize = 2 + MAX_RECENT;

/// Rows and tokens of one workgroup of `matmul.wgsl` (its `TILE`).
pub(super) const MATMUL_TILE: usize = 32;
/// Invocations of one workgroup of `matvec.wgsl` (its `TEAMS * LANES`), as many as WebGPU promises.
const MATVEC_WORKGROUP: usize = 256;
/// From so many rows on a team takes several of them.
const MANY_ROWS: usize = 2048;
/// Invocations of one workgroup of the kernels that give an invocation a channel, or four columns.
pub(super) const WORKGROUP: usize = 64;

const HALF: &str = include_str!("shaders/decode/half.wgsl");

fn decode_source(dtype: DType) -> &'static str {
    macro_rules! source {
        ($name:literal) => {
            include_str!(concat!("shaders/decode/", $name, ".wgsl"))
        };
    }
    match dtype {
        DType::F32 => source!("f32"),
        DType::F16 => source!("f16"),
        DType::BF16 => source!("bf16"),
        DType::Q4_0 => source!("q4_0"),
        DType::Q4_1 => source!("q4_1"),
        DType::Q5_0 => source!("q5_0"),
        DType::Q5_1 => source!("q5_1"),
        DType::Q8_0 => source!("q8_0"),
        DType::Q2_K => source!("q2_k"),
        DType::Q3_K => source!("q3_k"),
        DType::Q4_K => source!("q4_k"),
        DType::Q5_K => source!("q5_k"),
        DType::Q6_K => source!("q6_k"),
        DType::IQ4_NL => source!("iq4_nl"),
        DType::IQ4_XS => source!("iq4_xs"),
    }
}

/// What a kernel is composed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Variant {
    /// Type of the weights that it reads.
    pub dtype: DType,
    /// States per channel.
    pub d_state: usize,
    /// Taps of the convolution.
    pub d_conv: usize,
    /// How `matvec` takes a row apart.
    pub dot: Dot,
    /// True for an adapter that is software, where each invocation costs a switch of threads at every barrier.
    pub software: bool,
}

/// How `matvec` takes a row apart: into which units, and over how many invocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dot {
    /// The type's own file of `shaders/dot`, which reads x in vectors of four; else four values at a time, from anywhere.
    pub own: bool,
    /// Invocations that share rows, a power of two.
    pub lanes: usize,
    /// Rows that they share.
    pub rows: usize,
}

impl Default for Dot {
    fn default() -> Self {
        Self { own: false, lanes: 64, rows: 1 }
    }
}

impl Dot {
    /// The way for a (rows, columns) matrix; `aligned` where every row of x starts at a multiple of four floats.
    pub fn of(dtype: DType, rows: usize, columns: usize, aligned: bool) -> Self {
        let unit = dot_source(dtype).filter(|_| aligned);
        let units = columns.div_ceil(unit.map_or(4, |(_, len)| len));
        // Enough lanes to read long rows in few rounds; not so many that a short row leaves them idle.
        let lanes = units.next_power_of_two().clamp(4, 64);
        // Several rows share one reading of x where there are rows enough to fill a large GPU all the same.
        let rows = if rows >= MANY_ROWS { 4 } else { 1 };
        Self { own: unit.is_some(), lanes, rows }
    }

    fn teams(self) -> usize {
        MATVEC_WORKGROUP / self.lanes
    }

    /// Rows of one workgroup.
    pub(super) fn group_rows(self) -> usize {
        self.teams() * self.rows
    }
}

/// A type's own dot products, what they import before the file itself, and the values of one unit.
fn dot_source(dtype: DType) -> Option<(&'static [&'static str], usize)> {
    macro_rules! sources {
        ($($name:literal),+) => { &[$(include_str!(concat!("shaders/dot/", $name, ".wgsl"))),+] };
    }
    match dtype {
        DType::Q4_0 => Some((sources!("bytes", "x32", "q4_0"), 32)),
        DType::Q8_0 => Some((sources!("bytes", "x32", "q8_0"), 32)),
        DType::Q4_K => Some((sources!("bytes", "k_pairs", "q4_k"), 32)),
        DType::Q5_K => Some((sources!("bytes", "k_pairs", "q5_k"), 32)),
        DType::Q6_K => Some((sources!("bytes", "q6_k"), 16)),
        _ => None,
    }
}

/// A kernel's whole WGSL: sizes as constants (arrays of `override` size fail in Safari), the decoder of `dtype` where the
/// kernel reads quantised weights, then its file.
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
            wgsl += HALF;
            match dot_source(dtype).filter(|_| dot.own) {
                Some((sources, _)) => sources.iter().for_each(|source| wgsl += source),
                None => wgsl = wgsl + decode_source(dtype) + include_str!("shaders/dot/quads.wgsl"),
            }
        }
        _ if kernel.decodes => wgsl = wgsl + HALF + decode_source(dtype),
        _ => {}
    }
    wgsl + kernel.source
}

/// The whole WGSL of one of [`SAMPLING_KERNELS`], for a workgroup of `sample_choose` of so many invocations: a power of two,
/// at least [`SAMPLING_CHUNKS`].
pub fn compose_sampling(kernel: &Kernel, invocations: u32) -> String {
    let mut wgsl = format!("const CHUNKS: u32 = {SAMPLING_CHUNKS}u;\nconst HISTORY: u32 = {SAMPLING_HISTORY}u;\n");
    wgsl += include_str!("shaders/sampling/arithmetic.wgsl");
    if kernel.name == SAMPLE_CHOOSE.name {
        wgsl += &format!("const INVOCATIONS: u32 = {invocations}u;\n");
        wgsl += include_str!("shaders/sampling/find.wgsl");
    }
    wgsl + kernel.source
}
