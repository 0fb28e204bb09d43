//! What kernels are told, word for word as their WGSL structs of the same names declare it.

use bytemuck::{Pod, Zeroable};

/// Changes with every submission; all else is fixed when the model is loaded.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct Batch {
    /// Tokens of the chunk.
    pub tokens: u32,
    /// Of these, the last ones whose logits are wanted.
    pub outputs: u32,
}

/// See `embed.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct Embed {
    pub width: u32,
    pub first_row: u32,
    pub rows: u32,
    pub row_words: u32,
}

/// See `rms_norm.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct RmsNorm {
    pub width: u32,
    pub x_stride: u32,
    pub x_start: u32,
    pub out_stride: u32,
    pub out_start: u32,
    pub weighted: u32,
    pub to_outputs: u32,
    pub eps: f32,
}

/// See `matvec.wgsl` and `matmul.wgsl`, which share it.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct MatMul {
    pub rows: u32,
    pub columns: u32,
    pub row_words: u32,
    pub first_row: u32,
    pub x_stride: u32,
    pub x_start: u32,
    pub out_stride: u32,
    pub accumulate: u32,
    pub to_outputs: u32,
}

/// See `conv1d_silu.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct Conv1dSilu {
    pub d_inner: u32,
    pub x_stride: u32,
    pub x_start: u32,
}

/// See `selective_scan.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct SelectiveScan {
    pub d_inner: u32,
    pub bc_stride: u32,
    pub b_start: u32,
    pub c_start: u32,
    pub z_stride: u32,
    pub z_start: u32,
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
}

/// See `sample_choose.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct SamplingStep {
    pub step: u32,
}
