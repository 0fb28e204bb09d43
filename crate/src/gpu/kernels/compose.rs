//! How a kernel's WGSL is put together: sizes as constants, what it imports, then its own file.

use super::compose_group::compose_group;
use super::table::{GROUP_PROJECT, Import, Kernel, NOT_FINITE, SAMPLE_TOKEN, SAMPLING_CHUNKS, SAMPLING_HISTORY};
use super::units::{has_quants, unit_source};
use super::workgroups::{
    DecodeScan, LaneGroups, MATVEC_MANY_WORKGROUP, PrefillScan, RUN_LEN, SMALL_BATCH, Tile, WkvScan, runs,
};
use crate::executor::{Activations, MAX_SEQUENCES};
use crate::model::Function;
use crate::quant::{DType, UNIT_LEN, VECTOR_BYTES, device_row_bytes};

/// The whole WGSL of one of `SAMPLING_KERNELS`, for `invocations` of a workgroup of `sample_token`: a power of two,
/// at least `SAMPLING_CHUNKS`.
pub fn compose_sampling(kernel: &Kernel, invocations: u32) -> String {
    let mut wgsl = format!("const CHUNKS: u32 = {SAMPLING_CHUNKS}u;\nconst HISTORY: u32 = {SAMPLING_HISTORY}u;\n");
    wgsl += include_str!("../shaders/sampling/arithmetic.wgsl");
    if kernel.name == SAMPLE_TOKEN.name {
        wgsl += &format!("const INVOCATIONS: u32 = {invocations}u;\nconst NOT_FINITE: u32 = {NOT_FINITE}u;\n");
        wgsl += include_str!("../shaders/sampling/find.wgsl");
    }
    wgsl + kernel.source
}

/// How the rows of a buffer lie on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// As f32, (rows, width).
    Plain,
    /// As activations of matrix products, see `shaders/acts`.
    Activations,
}

/// What a kernel is composed for. Sizes that a kernel does not name keep their defaults, so that equal kernels are
/// compiled once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Variant {
    /// Type of the weights that it reads.
    pub dtype: DType,
    /// Columns of the weights.
    pub columns: usize,
    /// How activations are kept.
    pub activations: Activations,
    /// Columns of the rows that it writes.
    pub out_columns: usize,
    /// How it writes them.
    pub out_layout: Layout,
    /// States per channel.
    pub d_state: usize,
    /// Taps of the convolution.
    pub d_conv: usize,
    /// True where dt, B and C are normalised.
    pub norm_dt_b_c: bool,
    /// Channels of a head.
    pub head_size: usize,
    /// Mixtures of a token shift.
    pub mixtures: usize,
    /// What is applied to each value; none where values are only laid out anew.
    pub function: Option<Function>,
    /// Invocations that are certain to be in one subgroup; 1 without subgroups.
    pub subgroup: usize,
    /// How the invocations of a workgroup share rows.
    pub lane_groups: LaneGroups,
    /// How a matrix product is tiled.
    pub tile: Tile,
    /// How the scan of decode shares channels.
    pub decode_scan: DecodeScan,
    /// How the scan of prefill shares channels and time.
    pub prefill_scan: PrefillScan,
    /// How RWKV-7's recurrence shares rows and time.
    pub wkv_scan: WkvScan,
    /// Invocations of a workgroup of the kernels that have no shape of their own.
    pub workgroup: usize,
}

impl Variant {
    /// With sizes of no model: what a variant starts from.
    pub fn of(dtype: DType, activations: Activations) -> Self {
        Self {
            dtype,
            columns: 256,
            activations,
            out_columns: 256,
            out_layout: Layout::Activations,
            d_state: 16,
            d_conv: 4,
            norm_dt_b_c: true,
            head_size: 64,
            mixtures: 6,
            function: None,
            subgroup: 1,
            lane_groups: LaneGroups::default(),
            tile: Tile::default(),
            decode_scan: DecodeScan::default(),
            prefill_scan: PrefillScan::default(),
            wkv_scan: WkvScan::default(),
            workgroup: 64,
        }
    }
}

/// A kernel's whole WGSL: sizes as constants (arrays of `override` size fail in Safari), what it imports, then its file.
pub fn compose(kernel: &Kernel, variant: &Variant) -> String {
    if kernel.name == GROUP_PROJECT.name {
        return compose_group(&[*variant]);
    }
    compose_imports(kernel, variant) + kernel.source
}

/// All of it but the kernel's own file.
pub(super) fn compose_imports(kernel: &Kernel, variant: &Variant) -> String {
    let mut wgsl = String::new();
    let mut constant = |name: &str, value: usize| wgsl += &format!("const {name}: u32 = {value}u;\n");
    let v = variant;
    let (workgroup, lanes) = match kernel.name {
        "dt_scan" => (v.decode_scan.channels * v.decode_scan.lanes, v.decode_scan.lanes),
        "selective_scan" => (v.prefill_scan.channels * v.prefill_scan.lanes, v.prefill_scan.lanes),
        "wkv7" | "wkv7_gate" => (v.wkv_scan.workgroup(), v.wkv_scan.lanes),
        "matmul" | "matmul_q8" => (v.tile.workgroup(), 1),
        "matvec_many" => (MATVEC_MANY_WORKGROUP, v.subgroup),
        _ if kernel.imports.contains(&Import::RowProducts) => (v.lane_groups.workgroup(), v.lane_groups.lanes),
        _ => (v.workgroup, 1),
    };
    constant("WORKGROUP", workgroup);
    constant("LANES", lanes);
    constant("RUN_LEN", RUN_LEN);
    for import in kernel.imports {
        match import {
            Import::Units => {
                constant("COLUMNS", v.columns);
                constant("UNITS", v.columns.div_ceil(UNIT_LEN));
                constant("ROW_VECTORS", device_row_bytes(v.dtype, v.columns) / VECTOR_BYTES);
            }
            Import::Read => constant("RUNS", runs(v.columns)),
            Import::RowProducts => {
                constant("LANE_GROUPS", v.lane_groups.groups);
                constant("ROWS", v.lane_groups.rows);
            }
            Import::Sums => constant("SUBGROUP", v.subgroup),
            Import::Batch => constant("MAX_SEQUENCES", MAX_SEQUENCES),
            Import::Write => match v.out_layout {
                Layout::Plain => constant("OUT_COLUMNS", v.out_columns),
                Layout::Activations => constant("OUT_RUNS", runs(v.out_columns)),
            },
            Import::Products
            | Import::Tile
            | Import::Columns
            | Import::Segment
            | Import::MatMulParams
            | Import::Softplus
            | Import::Sigmoid
            | Import::Function
            | Import::Wkv7 => {}
        }
    }
    match kernel.name {
        "matmul" | "matmul_q8" => {
            constant("TILE_ROWS", v.tile.rows);
            constant("TILE_TOKENS", v.tile.tokens);
            constant("OWN_ROWS", v.tile.own_rows);
            if kernel.name == "matmul_q8" {
                constant("OWN_TOKENS", v.tile.own_tokens);
            }
            constant("UNITS_AT_ONCE", v.tile.units_at_once);
            constant("SLICES", v.tile.slices);
        }
        "matvec_many" => constant("TOKENS", SMALL_BATCH),
        "shift_norm" | "token_shift" => constant("MIXTURES", v.mixtures),
        "conv1d_silu" | "in_project" => constant("D_CONV", v.d_conv),
        "split_dt_b_c" | "dt_scan" | "selective_scan" => constant("D_STATE", v.d_state),
        _ => {}
    }
    match kernel.name {
        "dt_scan" => constant("CHANNELS", v.decode_scan.channels),
        "selective_scan" => {
            constant("CHANNELS", v.prefill_scan.channels);
            constant("STEPS", v.prefill_scan.steps);
        }
        "wkv7" | "wkv7_gate" => {
            constant("HEAD_SIZE", v.head_size);
            constant("ROWS", v.wkv_scan.rows);
            constant("PART", v.wkv_scan.part);
            constant("STEPS", v.wkv_scan.steps);
        }
        "wkv7_norm" => constant("HEAD_SIZE", v.head_size),
        _ => {}
    }
    if matches!(kernel.name, "split_dt_b_c" | "dt_scan") {
        wgsl += &format!("const NORM_DT_B_C: bool = {};\n", v.norm_dt_b_c);
    }
    for import in kernel.imports {
        wgsl += &import_source(*import, variant);
    }
    wgsl
}

fn import_source(import: Import, variant: &Variant) -> String {
    let quants = has_quants(variant.dtype);
    match (import, variant.activations) {
        (Import::Units, _) => return unit_source(variant.dtype) + "const BLOCKS: u32 = COLUMNS / BLOCK_LEN;\n",
        (Import::Read, Activations::F32) => include_str!("../shaders/acts/f32.wgsl"),
        (Import::Read, Activations::Q8) => include_str!("../shaders/acts/q8.wgsl"),
        (Import::Write, _) if variant.out_layout == Layout::Plain => include_str!("../shaders/acts/write_plain.wgsl"),
        (Import::Write, Activations::F32) => include_str!("../shaders/acts/write_f32.wgsl"),
        (Import::Write, Activations::Q8) => include_str!("../shaders/acts/write_q8.wgsl"),
        (Import::Columns, _) if variant.out_layout == Layout::Plain => {
            include_str!("../shaders/acts/columns_plain.wgsl")
        }
        (Import::Columns, _) => include_str!("../shaders/acts/columns.wgsl"),
        (Import::Products, Activations::Q8) if quants => include_str!("../shaders/products/quants_q8.wgsl"),
        (Import::Products, Activations::F32) if quants => include_str!("../shaders/products/quants_f32.wgsl"),
        (Import::Products, _) => include_str!("../shaders/products/values.wgsl"),
        (Import::Tile, _) if quants => include_str!("../shaders/tiles/units.wgsl"),
        (Import::Tile, _) => include_str!("../shaders/tiles/values.wgsl"),
        (Import::RowProducts, _) => include_str!("../shaders/products/rows.wgsl"),
        (Import::Segment, _) => include_str!("../shaders/products/segment.wgsl"),
        (Import::Sums, _) if variant.subgroup > 1 => include_str!("../shaders/sums/subgroup.wgsl"),
        (Import::Sums, _) => include_str!("../shaders/sums/tree.wgsl"),
        (Import::Batch, _) => include_str!("../shaders/shared/batch.wgsl"),
        (Import::MatMulParams, _) => include_str!("../shaders/shared/matmul_params.wgsl"),
        (Import::Softplus, _) => include_str!("../shaders/shared/softplus.wgsl"),
        (Import::Sigmoid, _) => SIGMOID,
        (Import::Wkv7, _) => {
            let sums = match variant.wkv_scan.lanes {
                1 => include_str!("../shaders/sums/one_lane.wgsl"),
                _ => include_str!("../shaders/sums/lanes.wgsl"),
            };
            return sums.to_owned() + include_str!("../shaders/shared/wkv7.wgsl");
        }
        (Import::Function, _) => function_source(variant.function),
    }
    .into()
}

/// The logistic function.
pub(super) const SIGMOID: &str = include_str!("../shaders/shared/sigmoid.wgsl");

pub(super) fn function_source(function: Option<Function>) -> &'static str {
    match function {
        None => include_str!("../shaders/functions/identity.wgsl"),
        Some(Function::Tanh) => include_str!("../shaders/functions/tanh.wgsl"),
        Some(Function::Sigmoid) => include_str!("../shaders/functions/sigmoid.wgsl"),
        Some(Function::SquaredRelu) => include_str!("../shaders/functions/squared_relu.wgsl"),
    }
}
