//! The kernels: a table of WGSL files, how they are composed for a model's sizes and an adapter, and their parameters. Knows no
//! plan and no buffer.

mod compose;
pub mod params;
mod table;
mod units;
mod workgroups;

pub use compose::{Variant, compose, compose_sampling};
pub use table::{
    CONV1D_SILU, DT_SCAN, EMBED, IN_PROJECT, KERNELS, Kernel, MATMUL, MATMUL_Q8, MATVEC, MATVEC_MANY, NOT_FINITE,
    OUT_PROJECT, RMS_NORM, SAMPLE_MAXIMA, SAMPLE_TOKEN, SAMPLING_CHUNKS, SAMPLING_HISTORY, SAMPLING_KERNELS,
    SELECTIVE_SCAN, SPLIT_DT_B_C,
};
pub use units::{has_quants, unit_source};
pub use workgroups::{
    DecodeScan, LaneGroups, MANY_ROWS, MATVEC_MANY_WORKGROUP, MAX_FUSED_ROWS, MAX_LANES, PrefillScan, RUN_LEN,
    SMALL_BATCH, SOME_ROWS, Tile, runs,
};
