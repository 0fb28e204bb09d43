//! A type's units with a kernel that does nothing but decode them.

use web_mamba::gpu::unit_source;
use web_mamba::quant::DType;

/// Decodes every unit of every row, one invocation a unit; entry `main`. Columns are those of whole units.
const KERNEL: &str = "
struct Params {
    rows: u32,
    units: u32, // of a row
    blocks: u32,
    row_vectors: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read_write> decoded: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x / params.units;
    let unit = id.x % params.units;
    if row >= params.rows {
        return;
    }
    let values = unit_values(row * params.row_vectors, params.blocks, unit);
    let at = (vec2(row * params.units * UNIT_LEN) + unit_columns(unit)) / 4u;
    for (var i = 0u; i < 4u; i++) {
        decoded[at.x + i] = values[i];
        decoded[at.y + i] = values[4u + i];
    }
}
";

/// Invocations of the kernel's workgroup.
pub const WORKGROUP: usize = 64;

/// The whole WGSL for a type.
pub fn unit_shader(dtype: DType) -> String {
    unit_source(dtype) + KERNEL
}

/// The same from `load_unit` alone: quants are read as signed bytes, whatever `unpack` makes of them. For quantised types.
pub fn quants_shader(dtype: DType) -> String {
    const VALUES: &str = "
fn quant_values(row: u32, blocks: u32, unit: u32) -> array<vec4<f32>, 8> {
    let u = load_unit(row, blocks, unit);
    var values: array<vec4<f32>, 8>;
    for (var i = 0u; i < 32u; i++) {
        let run = i / 16u;
        let byte = bitcast<i32>(u.q[run][i % 16u / 4u] << (24u - 8u * (i % 4u))) >> 24u;
        values[i / 4u][i % 4u] = u.scale[run] * f32(byte) - u.minimum[run];
    }
    return values;
}
";
    unit_source(dtype) + VALUES + &KERNEL.replace("= unit_values(", "= quant_values(")
}
