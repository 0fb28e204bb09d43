//! The kernels: a table of WGSL files, how they are composed for a model's sizes and an adapter, and their parameters. Knows no
//! plan and no buffer.

mod compose;
mod compose_group;
pub mod params;
mod table;
mod units;
mod workgroups;

pub use compose::{Layout, Variant, compose, compose_sampling};
pub use compose_group::{compose_group, finish_code};
pub use table::{
    CONV1D_SILU, DT_SCAN, ELEMENTWISE, EMBED, FUNCTION_PROJECT, GROUP_PROJECT, IN_PROJECT, KERNELS, Kernel, LAYER_NORM,
    MATMUL, MATMUL_Q8, MATVEC, MATVEC_MANY, MULTIPLY, NOT_FINITE, OUT_PROJECT, RMS_NORM, SAMPLE_MAXIMA, SAMPLE_TOKEN,
    SAMPLING_CHUNKS, SAMPLING_HISTORY, SAMPLING_KERNELS, SELECTIVE_SCAN, SHIFT_NORM, SPLIT_DT_B_C, TOKEN_SHIFT,
    VALUE_RESIDUAL, WKV7, WKV7_GATE, WKV7_NORM,
};
pub use units::{has_quants, unit_source};
pub use workgroups::{
    DecodeScan, LaneGroups, MANY_ROWS, MATVEC_MANY_WORKGROUP, MAX_FUSED_ROWS, MAX_LANES, MAX_MIXTURES, PrefillScan,
    RUN_LEN, SMALL_BATCH, SOME_ROWS, Tile, WkvScan, runs,
};
