//! The kernel table, and how a kernel's WGSL is put together.

use super::shape::{AT_ONCE_WORKGROUP, DecodeScan, Scan, Team, Tile};
use super::units::{has_quants, unit_source};
use crate::executor::{Activations, MAX_SEQUENCES};
use crate::quant::{DType, UNIT_LEN, device_row_bytes};
use crate::sampler::MAX_RECENT;

/// What a kernel imports before its own file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The units of the weights' type.
    Units,
    /// Reading activations.
    Read,
    /// Products of a unit with activations.
    Products,
    /// Products of rows with them.
    RowProducts,
    /// Sums over invocations.
    Sums,
    /// What changes with every submission.
    Batch,
    /// Writing activations.
    Write,
    /// The parameters that the matrix products share.
    MatMulParams,
    /// The time step's activation.
    Softplus,
}

/// One kernel: `shaders/NAME.wgsl`.
#[derive(Debug)]
pub struct Kernel {
    /// Its name.
    pub name: &'static str,
    source: &'static str,
    /// Read-only storage buffers, from binding 2 on.
    pub inputs: u32,
    /// Writable storage buffers, after the inputs.
    pub outputs: u32,
    parts: &'static [Part],
}

impl Kernel {
    /// True where its first input holds weights of any type.
    pub fn decodes(&self) -> bool {
        self.parts.contains(&Part::Units)
    }

    /// True where it differs with the activations.
    pub fn knows_activations(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Read | Part::Write))
    }
}

macro_rules! kernel {
    ($name:literal, inputs $inputs:literal, outputs $outputs:literal, parts [$($part:ident),*]) => {
        Kernel {
            name: $name,
            source: include_str!(concat!("shaders/", $name, ".wgsl")),
            inputs: $inputs,
            outputs: $outputs,
            parts: &[$(Part::$part),*],
        }
    };
}

/// Every kernel: what serves both prefill and decode, what decode joins of several steps, and the rest of prefill.
pub static KERNELS: [Kernel; 12] = [
    EMBED,
    RMS_NORM,
    MATVEC,
    MATVEC_MANY,
    IN_PROJECT,
    DT_SCAN,
    OUT_PROJECT,
    MATMUL,
    MATMUL_Q8,
    CONV1D_SILU,
    SPLIT_DT_B_C,
    SELECTIVE_SCAN,
];

pub(super) const EMBED: Kernel = kernel!("embed", inputs 2, outputs 1, parts [Units]);
pub(super) const RMS_NORM: Kernel = kernel!("rms_norm", inputs 2, outputs 1, parts [Batch, Sums, Write]);
pub(super) const MATVEC: Kernel =
    kernel!("matvec", inputs 2, outputs 1, parts [Units, Read, Sums, Products, RowProducts]);
pub(super) const MATVEC_MANY: Kernel =
    kernel!("matvec_many", inputs 2, outputs 1, parts [Units, Read, Products, Batch, MatMulParams]);
pub(super) const IN_PROJECT: Kernel =
    kernel!("in_project", inputs 4, outputs 3, parts [Units, Read, Sums, Products, RowProducts, Batch]);
pub(super) const DT_SCAN: Kernel = kernel!("dt_scan", inputs 6, outputs 2, parts [Units, Sums, Softplus, Batch, Write]);
pub(super) const OUT_PROJECT: Kernel =
    kernel!("out_project", inputs 3, outputs 2, parts [Units, Read, Sums, Products, RowProducts, Write]);
pub(super) const MATMUL: Kernel = kernel!("matmul", inputs 2, outputs 1, parts [Units, Read, Batch, MatMulParams]);
pub(super) const MATMUL_Q8: Kernel =
    kernel!("matmul_q8", inputs 2, outputs 1, parts [Units, Read, Batch, MatMulParams]);
pub(super) const CONV1D_SILU: Kernel = kernel!("conv1d_silu", inputs 3, outputs 3, parts [Batch, Write]);
pub(super) const SPLIT_DT_B_C: Kernel = kernel!("split_dt_b_c", inputs 1, outputs 2, parts [Batch, Sums, Write]);
pub(super) const SELECTIVE_SCAN: Kernel =
    kernel!("selective_scan", inputs 6, outputs 2, parts [Batch, Sums, Softplus, Write]);

/// Those that choose tokens from logits. No step of a plan runs them, and their twins are in `sampler`.
pub static SAMPLING_KERNELS: [Kernel; 2] = [SAMPLE_MAXIMA, SAMPLE_CHOOSE];

pub(super) const SAMPLE_MAXIMA: Kernel = kernel!("sample_maxima", inputs 3, outputs 2, parts []);
pub(super) const SAMPLE_CHOOSE: Kernel = kernel!("sample_choose", inputs 4, outputs 4, parts []);

/// Parts that a vocabulary is read in: `sample_maxima` runs a workgroup for each, and `sample_choose` reads only those that
/// hold likely tokens.
pub(super) const SAMPLING_CHUNKS: usize = 256;
/// Words of a row's history before its counts: two, and the ring.
pub(super) const SAMPLING_HISTORY: usize = 2 + MAX_RECENT;

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

/// What a kernel is composed for. Sizes that a kernel does not name are left at their defaults, so that kernels which are
/// the same are made once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Variant {
    /// Type of the weights that it reads.
    pub dtype: DType,
    /// Columns of the weights.
    pub columns: usize,
    /// How activations are kept.
    pub activations: Activations,
    /// Columns of the activations that it writes.
    pub out_columns: usize,
    /// States per channel.
    pub d_state: usize,
    /// Taps of the convolution.
    pub d_conv: usize,
    /// True where dt, B and C are normalised.
    pub norm_dt_b_c: bool,
    /// Invocations that are sure to be in one subgroup; 1 where there are none.
    pub subgroup: usize,
    /// How the invocations of a workgroup share rows.
    pub team: Team,
    /// How a matrix product is tiled.
    pub tile: Tile,
    /// How the scan of decode shares channels.
    pub decode_scan: DecodeScan,
    /// How the scan of prefill shares channels and time.
    pub scan: Scan,
    /// Invocations of a workgroup of the kernels that have no shape of their own.
    pub workgroup: usize,
}

impl Variant {
    /// For the first tests of a kernel: sizes of no model.
    pub fn of(dtype: DType, activations: Activations) -> Self {
        Self {
            dtype,
            columns: 256,
            activations,
            out_columns: 256,
            d_state: 16,
            d_conv: 4,
            norm_dt_b_c: true,
            subgroup: 1,
            team: Team::default(),
            tile: Tile::default(),
            decode_scan: DecodeScan::default(),
            scan: Scan::default(),
            workgroup: 64,
        }
    }
}

/// Runs of 16 columns that a row of activations is padded to: whole units of weights.
pub(super) fn runs(columns: usize) -> usize {
    2 * columns.div_ceil(UNIT_LEN)
}

/// A kernel's whole WGSL: sizes as constants (arrays of `override` size fail in Safari), what it imports, then its file.
pub fn compose(kernel: &Kernel, variant: &Variant) -> String {
    let mut wgsl = String::new();
    let mut constant = |name: &str, value: usize| wgsl += &format!("const {name}: u32 = {value}u;\n");
    let v = variant;
    let (workgroup, lanes) = match kernel.name {
        "dt_scan" => (v.decode_scan.channels * v.decode_scan.lanes, v.decode_scan.lanes),
        "selective_scan" => (v.scan.channels * v.scan.lanes, v.scan.lanes),
        "matmul" | "matmul_q8" => (v.tile.workgroup(), 1),
        "matvec_many" => (AT_ONCE_WORKGROUP, v.subgroup),
        _ if kernel.parts.contains(&Part::RowProducts) => (v.team.workgroup(), v.team.lanes),
        _ => (v.workgroup, 1),
    };
    constant("WORKGROUP", workgroup);
    constant("LANES", lanes);
    for part in kernel.parts {
        match part {
            Part::Units => {
                constant("COLUMNS", v.columns);
                constant("UNITS", v.columns.div_ceil(UNIT_LEN));
                constant("ROW_VECTORS", device_row_bytes(v.dtype, v.columns) / 16);
            }
            Part::Read => constant("RUNS", runs(v.columns)),
            Part::RowProducts => {
                constant("TEAMS", v.team.teams);
                constant("ROWS", v.team.rows);
            }
            Part::Sums => constant("SUBGROUP", v.subgroup),
            Part::Batch => constant("MAX_SEQUENCES", MAX_SEQUENCES),
            Part::Write => constant("OUT_RUNS", runs(v.out_columns)),
            Part::Products | Part::MatMulParams | Part::Softplus => {}
        }
    }
    match kernel.name {
        "matmul" | "matmul_q8" => {
            constant("TILE_ROWS", v.tile.rows);
            constant("TILE_TOKENS", v.tile.tokens);
            constant("OWN_ROWS", v.tile.own_rows);
            constant("OWN_TOKENS", v.tile.own_tokens);
            constant("UNITS_AT_ONCE", v.tile.units_at_once);
        }
        "conv1d_silu" | "in_project" => constant("D_CONV", v.d_conv),
        "split_dt_b_c" | "dt_scan" | "selective_scan" => constant("D_STATE", v.d_state),
        _ => {}
    }
    match kernel.name {
        "dt_scan" => constant("CHANNELS", v.decode_scan.channels),
        "selective_scan" => {
            constant("CHANNELS", v.scan.channels);
            constant("STEPS", v.scan.steps);
        }
        _ => {}
    }
    if matches!(kernel.name, "split_dt_b_c" | "dt_scan") {
        wgsl += &format!("const NORM_DT_B_C: bool = {};\n", v.norm_dt_b_c);
    }
    for part in kernel.parts {
        wgsl += &part_source(*part, variant);
    }
    wgsl + kernel.source
}

fn part_source(part: Part, variant: &Variant) -> String {
    let quants = has_quants(variant.dtype);
    match (part, variant.activations) {
        (Part::Units, _) => return unit_source(variant.dtype) + "const BLOCKS: u32 = COLUMNS / BLOCK_LEN;\n",
        (Part::Read, Activations::F32) => include_str!("shaders/acts/f32.wgsl"),
        (Part::Read, Activations::Q8) => include_str!("shaders/acts/q8.wgsl"),
        (Part::Write, Activations::F32) => include_str!("shaders/acts/write_f32.wgsl"),
        (Part::Write, Activations::Q8) => include_str!("shaders/acts/write_q8.wgsl"),
        (Part::Products, Activations::Q8) if quants => include_str!("shaders/products/quants_q8.wgsl"),
        (Part::Products, Activations::F32) if quants => include_str!("shaders/products/quants_f32.wgsl"),
        (Part::Products, _) => include_str!("shaders/products/values.wgsl"),
        (Part::RowProducts, _) => include_str!("shaders/products/rows.wgsl"),
        (Part::Sums, _) if variant.subgroup > 1 => include_str!("shaders/sums/subgroup.wgsl"),
        (Part::Sums, _) => include_str!("shaders/sums/tree.wgsl"),
        (Part::Batch, _) => include_str!("shaders/parts/batch.wgsl"),
        (Part::MatMulParams, _) => include_str!("shaders/parts/matmul_params.wgsl"),
        (Part::Softplus, _) => include_str!("shaders/parts/softplus.wgsl"),
    }
    .into()
}
