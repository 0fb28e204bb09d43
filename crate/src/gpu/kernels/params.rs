//! The uniform parameters of kernels, field by field as the WGSL structs that name them as twins declare them.

use bytemuck::{Pod, Zeroable};

use crate::executor::MAX_SEQUENCES;

/// Changes with every submission; all else is fixed when the model is loaded.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct Batch {
    /// Tokens of each sequence.
    pub tokens: u32,
    /// Sequences; row `s * tokens + t` is token t of sequence s.
    pub sequences: u32,
    /// Of all rows, the last ones whose logits are wanted.
    pub outputs: u32,
    pub unused: u32,
    /// Of each sequence: slot of the state that is read, slot of the state that is written, nothing, nothing.
    pub slots: [[u32; 4]; MAX_SEQUENCES],
}

/// See `embed.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct Embed {
    pub width: u32,
    pub first_row: u32,
    pub rows: u32,
    pub row_vectors: u32,
}

/// See `rms_norm.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct RmsNorm {
    pub width: u32,
    pub to_outputs: u32,
    pub eps: f32,
}

/// See `matvec.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct MatVec {
    pub rows: u32,
    pub first_row: u32,
    pub width: u32,
    pub scaled: u32,
    pub eps: f32,
    pub out_stride: u32,
    pub accumulate: u32,
}

/// See `in_project.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct InProject {
    pub rows: u32,
    pub first_row: u32,
    pub width: u32,
    pub scaled: u32,
    pub d_inner: u32,
    pub eps: f32,
}

/// See `dt_scan.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct DtScan {
    pub rows: u32,
    pub first_row: u32,
    pub d_inner: u32,
    pub eps: f32,
}

/// See `out_project.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct OutProject {
    pub rows: u32,
    pub first_row: u32,
}

/// See `shift_norm.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct ShiftNorm {
    pub width: u32,
    pub plane_rows: u32,
    pub eps: f32,
}

/// See `function_project.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct FunctionProject {
    pub rows: u32,
    pub first_row: u32,
}

/// Products of a group at the most: [`Segment`]s of `group_project.wgsl`.
pub const MAX_SEGMENTS: usize = 8;

/// See `group_project.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct Segment {
    pub first_group: u32,
    pub rows: u32,
    pub weights: u32,
    pub acts: u32,
    pub out: u32,
    pub kind: u32,
    pub finish: u32,
    pub unused: u32,
}

/// See `shared/matmul_params.wgsl`, which `matmul.wgsl` and `matmul_q8.wgsl` share.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct MatMul {
    pub rows: u32,
    pub first_row: u32,
    pub out_stride: u32,
    pub accumulate: u32,
    pub to_outputs: u32,
}

/// See `conv1d_silu.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct Conv1dSilu {
    pub d_inner: u32,
    pub stride: u32,
}

/// See `split_dt_b_c.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct SplitDtBC {
    pub dt_rank: u32,
    pub eps: f32,
}

/// See `selective_scan.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct SelectiveScan {
    pub d_inner: u32,
}

/// See `layer_norm.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct LayerNorm {
    pub width: u32,
    pub to_outputs: u32,
    pub eps: f32,
}

/// See `token_shift.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct TokenShift {
    pub width: u32,
    pub mixture: u32,
    pub plane_rows: u32,
    pub moves: u32,
}

/// See `elementwise.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct Elementwise {
    pub width: u32,
}

/// See `multiply.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct Multiply {
    pub width: u32,
}

/// See `value_residual.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct ValueResidual {
    pub width: u32,
}

/// See `wkv7.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct Wkv7 {
    pub columns: u32,
}

/// See `wkv7_norm.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct Wkv7Norm {
    pub columns: u32,
    pub eps: f32,
}

/// See `wkv7_gate.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct Wkv7Gate {
    pub columns: u32,
    pub eps: f32,
    pub r: u32,
    pub k: u32,
    pub w: u32,
    pub a: u32,
    pub g: u32,
}

/// See `sampling/arithmetic.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct Sampling {
    pub vocab_size: u32,
    pub stride: u32,
    pub chunk_bits: u32,
    pub chunks: u32,
    pub rows: u32,
    pub unit_factor: f32,
    pub unit_limit: f32,
}

/// See `sampling/arithmetic.wgsl`. One lies in a storage buffer for each row.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct SamplingRow {
    pub greedy: u32,
    pub top_k: u32,
    pub top_p: u32,
    pub min_p_distance: u32,
    pub temperature_factor: f32,
    pub temperature_limit: f32,
    pub repetition: f32,
    pub reciprocal: f32,
    pub frequency: f32,
    pub presence: f32,
    pub last_n: u32,
    pub masked: u32,
}

/// See `sample_token.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct SamplingStep {
    pub step: u32,
}
