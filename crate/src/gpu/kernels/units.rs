//! Which files of `shaders/units` give a type's units. Together they define, for a row that starts at vector `row` and has
//! `blocks` of `BLOCK_LEN` values:
//!
//! - `weights`, binding 2, and `UNIT_LEN`, the values of a unit: runs A and B of neighbouring columns, half of them each;
//! - `unit_columns(unit) -> vec2<u32>`: the first columns of both runs;
//! - `unit_values(row, blocks, unit) -> array<vec4<f32>, 8>`: their values, zeros past a row without blocks;
//! - for quantised types `load_unit(row, blocks, unit) -> Unit`, `unpack(word) -> vec4<f32>` and `HAS_MINIMUM`.

use crate::quant::{DType, UNIT_LEN};

/// True for types whose units have quants and scales, not just values.
pub fn has_quants(dtype: DType) -> bool {
    dtype.block_len() > 1
}

/// All of a type's WGSL.
pub fn unit_source(dtype: DType) -> String {
    let shared = if has_quants(dtype) { include_str!("../shaders/units/quantised.wgsl") } else { "" };
    let planes = [include_str!("../shaders/units/half.wgsl"), include_str!("../shaders/units/planes.wgsl"), shared];
    let constants = format!("const UNIT_LEN: u32 = {UNIT_LEN}u;\n");
    std::iter::once(constants.as_str()).chain(planes).chain(own_sources(dtype).iter().copied()).collect()
}

fn own_sources(dtype: DType) -> &'static [&'static str] {
    macro_rules! sources {
        ($($name:literal),+) => { &[$(include_str!(concat!("../shaders/units/", $name, ".wgsl"))),+] };
    }
    match dtype {
        DType::F32 => sources!("columns_16", "f32"),
        DType::F16 => sources!("columns_16", "two_a_word", "f16"),
        DType::BF16 => sources!("columns_16", "two_a_word", "bf16"),
        DType::Q4_0 => sources!("columns_16", "unsigned", "q4_0"),
        DType::Q4_1 => sources!("columns_16", "unsigned", "q4_1"),
        DType::Q5_0 => sources!("columns_16", "unsigned", "fifth_bits", "q5_0"),
        DType::Q5_1 => sources!("columns_16", "unsigned", "fifth_bits", "q5_1"),
        DType::Q8_0 => sources!("columns_16", "signed", "q8_0"),
        DType::Q2_K => sources!("columns_32", "unsigned", "q2_k"),
        DType::Q3_K => sources!("columns_32", "unsigned", "q3_k"),
        DType::Q4_K => sources!("columns_32", "unsigned", "k_scales", "q4_k"),
        DType::Q5_K => sources!("columns_32", "unsigned", "k_scales", "q5_k"),
        DType::Q6_K => sources!("unsigned", "q6_k"), // columns of its own
        DType::IQ4_NL => sources!("columns_16", "signed", "iq4_steps", "iq4_nl"),
        DType::IQ4_XS => sources!("columns_16", "signed", "iq4_steps", "iq4_xs"),
    }
}
