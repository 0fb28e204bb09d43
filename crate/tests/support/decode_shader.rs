//! `gpu/shaders/decode/TYPE.wgsl` with `half.wgsl` and a kernel that does nothing but decode.

use std::path::Path;
use web_mamba::quant::DType;

/// Decodes every value of every block, one invocation a block; entry `main`.
const KERNEL: &str = "
@group(0) @binding(0) var<storage, read> weights: array<u32>;
@group(0) @binding(1) var<storage, read_write> decoded: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    for (var i = 0u; i < BLOCK_LEN; i += 4u) {
        decoded[(id.x * BLOCK_LEN + i) / 4u] = decode4(id.x * BLOCK_WORDS, i);
    }
}
";

/// Invocations of the kernel's workgroup.
#[allow(dead_code)] // not every test that uses the shader runs it
pub const WORKGROUP: usize = 64;

/// The whole WGSL for a type.
pub fn decode_shader(dtype: DType) -> String {
    let read = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gpu/shaders/decode").join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    [read("half.wgsl"), read(&format!("{}.wgsl", dtype.name().to_lowercase())), KERNEL.to_owned()].concat()
}
