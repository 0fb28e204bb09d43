//! The kernel table: a row for each `shaders/NAME.wgsl`.

use crate::sampler::MAX_RECENT;

/// A file of WGSL that a kernel is composed with, before its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Import {
    /// The units of the weights' type.
    Units,
    /// Reading activations.
    Read,
    /// Products of a unit with activations.
    Products,
    /// Products of rows with them.
    RowProducts,
    /// The part of a grouped product that has weights of one type and width.
    Segment,
    /// Rows of weights for a tile of values.
    Tile,
    /// Sums over invocations.
    Sums,
    /// What changes with every submission.
    Batch,
    /// Writing activations.
    Write,
    /// Writing them column by column.
    Columns,
    /// The parameters that the matrix products share.
    MatMulParams,
    /// The time step's activation.
    Softplus,
    /// The logistic function.
    Sigmoid,
    /// A function of one value.
    Function,
    /// RWKV-7's recurrence, with its sums over invocations.
    Wkv7,
}

/// One kernel: `shaders/NAME.wgsl`.
#[derive(Debug)]
pub struct Kernel {
    /// Its name.
    pub name: &'static str,
    pub(super) source: &'static str,
    /// Read-only storage buffers, from binding 2 on.
    pub inputs: u32,
    /// Writable storage buffers, after the inputs.
    pub outputs: u32,
    pub(super) imports: &'static [Import],
}

impl Kernel {
    /// True where its first input holds weights of any type.
    pub fn decodes(&self) -> bool {
        self.imports.contains(&Import::Units)
    }

    /// True where it differs with the activations.
    pub fn knows_activations(&self) -> bool {
        self.imports.iter().any(|import| matches!(import, Import::Read | Import::Write))
    }
}

macro_rules! kernel {
    ($name:literal, inputs $inputs:literal, outputs $outputs:literal, imports [$($import:ident),*]) => {
        Kernel {
            name: $name,
            source: include_str!(concat!("../shaders/", $name, ".wgsl")),
            inputs: $inputs,
            outputs: $outputs,
            imports: &[$(Import::$import),*],
        }
    };
}

/// Every kernel of a plan's steps: what serves prefill and decode, the fused kernels of decode, and the steps by themselves.
pub static KERNELS: [Kernel; 23] = [
    EMBED,
    RMS_NORM,
    MATVEC,
    MATVEC_MANY,
    IN_PROJECT,
    DT_SCAN,
    OUT_PROJECT,
    SHIFT_NORM,
    FUNCTION_PROJECT,
    GROUP_PROJECT,
    MATMUL,
    MATMUL_Q8,
    CONV1D_SILU,
    SPLIT_DT_B_C,
    SELECTIVE_SCAN,
    LAYER_NORM,
    TOKEN_SHIFT,
    ELEMENTWISE,
    MULTIPLY,
    VALUE_RESIDUAL,
    WKV7,
    WKV7_NORM,
    WKV7_GATE,
];

pub const EMBED: Kernel = kernel!("embed", inputs 2, outputs 1, imports [Units]);
pub const RMS_NORM: Kernel = kernel!("rms_norm", inputs 2, outputs 1, imports [Batch, Sums, Write]);
pub const MATVEC: Kernel = kernel!("matvec", inputs 2, outputs 1, imports [Units, Read, Sums, Products, RowProducts]);
pub const MATVEC_MANY: Kernel =
    kernel!("matvec_many", inputs 2, outputs 1, imports [Units, Read, Products, Batch, MatMulParams]);
pub const IN_PROJECT: Kernel =
    kernel!("in_project", inputs 4, outputs 3, imports [Units, Read, Sums, Products, RowProducts, Batch]);
pub const DT_SCAN: Kernel = kernel!("dt_scan", inputs 6, outputs 2, imports [Units, Sums, Softplus, Batch, Write]);
pub const OUT_PROJECT: Kernel =
    kernel!("out_project", inputs 3, outputs 2, imports [Units, Read, Sums, Products, RowProducts, Write]);
pub const SHIFT_NORM: Kernel = kernel!("shift_norm", inputs 4, outputs 2, imports [Batch, Sums, Write]);
pub const FUNCTION_PROJECT: Kernel = kernel!(
    "function_project", inputs 2, outputs 1, imports [Units, Read, Sums, Products, RowProducts, Sigmoid, Function, Write]
);
pub const GROUP_PROJECT: Kernel =
    kernel!("group_project", inputs 5, outputs 1, imports [Units, Read, Sums, Products, RowProducts, Segment]);
pub const MATMUL: Kernel = kernel!("matmul", inputs 2, outputs 1, imports [Units, Read, Tile, Batch, MatMulParams]);
pub const MATMUL_Q8: Kernel = kernel!("matmul_q8", inputs 2, outputs 1, imports [Units, Read, Batch, MatMulParams]);
pub const CONV1D_SILU: Kernel = kernel!("conv1d_silu", inputs 3, outputs 3, imports [Batch, Write]);
pub const SPLIT_DT_B_C: Kernel = kernel!("split_dt_b_c", inputs 1, outputs 2, imports [Batch, Sums, Write]);
pub const SELECTIVE_SCAN: Kernel =
    kernel!("selective_scan", inputs 6, outputs 2, imports [Batch, Sums, Softplus, Write]);
pub const LAYER_NORM: Kernel = kernel!("layer_norm", inputs 3, outputs 1, imports [Batch, Sums, Write, Columns]);
pub const TOKEN_SHIFT: Kernel = kernel!("token_shift", inputs 2, outputs 2, imports [Batch, Write, Columns]);
pub const ELEMENTWISE: Kernel = kernel!("elementwise", inputs 1, outputs 1, imports [Sigmoid, Function, Write]);
pub const MULTIPLY: Kernel = kernel!("multiply", inputs 2, outputs 1, imports [Write]);
pub const VALUE_RESIDUAL: Kernel = kernel!("value_residual", inputs 4, outputs 1, imports [Sigmoid, Write, Columns]);
pub const WKV7: Kernel = kernel!("wkv7", inputs 6, outputs 2, imports [Batch, Sigmoid, Wkv7]);
pub const WKV7_NORM: Kernel = kernel!("wkv7_norm", inputs 5, outputs 1, imports [Sigmoid]);
pub const WKV7_GATE: Kernel = kernel!("wkv7_gate", inputs 4, outputs 2, imports [Batch, Sigmoid, Wkv7, Write]);

/// The kernels that sample tokens from logits. No step of a plan runs them, and their twins are in `sampler`.
pub static SAMPLING_KERNELS: [Kernel; 2] = [SAMPLE_MAXIMA, SAMPLE_TOKEN];

pub const SAMPLE_MAXIMA: Kernel = kernel!("sample_maxima", inputs 4, outputs 2, imports []);
pub const SAMPLE_TOKEN: Kernel = kernel!("sample_token", inputs 4, outputs 4, imports []);

/// The bit of a sampled id that says that the highest logit was infinite, or that none was a number.
pub const NOT_FINITE: u32 = 1 << 31;

/// Chunks that a vocabulary is read in: `sample_maxima` runs a workgroup for each, and `sample_token` reads only those that
/// hold likely tokens.
pub const SAMPLING_CHUNKS: usize = 256;
/// Words of a row's history before its counts: two, and the ring.
pub const SAMPLING_HISTORY: usize = 2 + MAX_RECENT;
