//! Every `gpu/shaders/decode/TYPE.wgsl`, composed with `half.wgsl` and a kernel that decodes whole blocks, is valid WGSL
//! without any extension, and its block constants are those of the device layout.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use naga::valid::{Capabilities, ValidationFlags, Validator};
use std::path::Path;
use web_mamba::quant::{DType, device_block_bytes, device_block_len};

/// Decodes every value of every block; one invocation a block.
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

fn shader(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gpu/shaders/decode").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn u32_constant(module: &naga::Module, name: &str) -> u32 {
    let (_, constant) = module.constants.iter().find(|(_, constant)| constant.name.as_deref() == Some(name)).unwrap();
    match module.global_expressions[constant.init] {
        naga::Expression::Literal(naga::Literal::U32(value)) => value,
        ref other => panic!("{name} is {other:?}"),
    }
}

#[test]
fn every_type_has_a_valid_decode_shader() {
    for dtype in DType::all() {
        let file = format!("{}.wgsl", dtype.name().to_lowercase());
        let source = [shader("half.wgsl"), shader(&file), KERNEL.to_owned()].concat();
        let module = naga::front::wgsl::parse_str(&source)
            .unwrap_or_else(|error| panic!("{file}:\n{}", error.emit_to_string(&source)));
        // No capability beyond WebGPU's core: a shader that needs one must not pass.
        Validator::new(ValidationFlags::all(), Capabilities::empty())
            .validate(&module)
            .unwrap_or_else(|error| panic!("{file}:\n{}", error.emit_to_string(&source)));

        assert_eq!(u32_constant(&module, "BLOCK_LEN") as usize, device_block_len(dtype), "{file}");
        assert_eq!(u32_constant(&module, "BLOCK_WORDS") as usize * 4, device_block_bytes(dtype), "{file}");
    }
}
