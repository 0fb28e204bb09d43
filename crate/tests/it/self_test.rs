//! The test that loading on a GPU begins with: right kernels pass, and each wrong one is caught and named.

use std::path::Path;
use std::rc::Rc;

use crate::support::every_round;
use crate::support::random_model::{RandomModel, Shape, WkvShape};
use pollster::block_on;
use web_mamba::engine::{BackendChoice, LoadOptions, Model};
use web_mamba::error::Error;
use web_mamba::executor::Activations;
use web_mamba::gpu::{Gpu, GpuOptions, KERNELS, SAMPLING_KERNELS, self_test};
use web_mamba::quant::DType;
use web_mamba::source::{ByteSource, FileSource};

fn run(model: &RandomModel, options: &GpuOptions, activations: Activations) -> Result<(), Error> {
    let gpu = block_on(Gpu::open(options)).expect("a GPU, or a software Vulkan (scripts/setup --test)");
    block_on(self_test(&gpu, model, activations))
}

/// With the kernels for hardware, for software adapters, and with what WebGPU promises alone.
fn kinds() -> [GpuOptions; 3] {
    let hardware = GpuOptions { software: Some(false), ..GpuOptions::default() };
    let defaults = GpuOptions { default_limits: true, ..hardware.clone() };
    [hardware, defaults, GpuOptions { software: Some(true), ..GpuOptions::default() }]
}

/// Each type with both kinds of activations, the kinds of kernels in turn.
#[test]
fn right_kernels_pass_for_every_type() {
    for (i, dtype) in DType::all().enumerate() {
        let model = RandomModel::new(&Shape::odd(dtype), dtype, 5);
        let rwkv7 = RandomModel::rwkv7(&WkvShape::odd(dtype), dtype, 5);
        for (j, activations) in [Activations::F32, Activations::Q8].into_iter().enumerate() {
            for (k, model) in [&model, &rwkv7].into_iter().enumerate() {
                // Else each type has one of its models with one kind.
                if every_round() || i % 4 == 2 * j + k {
                    let options = &kinds()[(i + j + k) % 3];
                    run(model, options, activations)
                        .unwrap_or_else(|error| panic!("{dtype}, {activations:?}: {error}"));
                }
            }
        }
    }
}

/// The kernels that no model of Mamba runs.
const OF_RWKV7: [&str; 11] = [
    "layer_norm",
    "token_shift",
    "elementwise",
    "multiply",
    "value_residual",
    "wkv7",
    "wkv7_gate",
    "wkv7_norm",
    "shift_norm",
    "function_project",
    "group_project",
];

/// For each kernel of the table what makes it wrong: a constant that is too small, or values in another order or size.
fn mistake(kernel: &str) -> [&'static str; 2] {
    match kernel {
        "sample_maxima" => ["key > best.x", "key < best.x"],
        "sample_token" => ["let id = found.y;", "let id = found.y ^ 1u;"],
        "embed" => ["= values[i]", "= values[3u - i]"],
        "rms_norm" => ["* weight[", "* 0.5 * weight["],
        "conv1d_silu" => ["const D_CONV: u32 = 4u;", "const D_CONV: u32 = 3u;"],
        "split_dt_b_c" | "selective_scan" | "dt_scan" => ["const D_STATE: u32 = 16u;", "const D_STATE: u32 = 15u;"],
        "layer_norm" => ["* scale * weight[", "* scale * 0.5 * weight["],
        "shift_norm" => ["* scale * own.y", "* scale * 0.5 * own.y"],
        "token_shift" => ["before - now", "now - before"],
        "elementwise" => ["= apply(", "= 0.5 * apply("],
        "multiply" => ["= x[first + i] *", "= 0.5 * x[first + i] *"],
        "value_residual" => ["(first[at] - x[at])", "(x[at] - first[at])"],
        "wkv7" => ["fma(vec4(-removed[row]), kk_a, kept)", "fma(vec4(removed[row]), kk_a, kept)"],
        "wkv7_gate" => ["norm + v_of[0][quad] * bonus", "norm - v_of[0][quad] * bonus"],
        "wkv7_norm" => ["centred * scale *", "centred * 0.5 * scale *"],
        "group_project" => ["const UNITS_0: u32 = 8u;", "const UNITS_0: u32 = 7u;"],
        _ => ["const UNITS: u32 = 8u;", "const UNITS: u32 = 7u;"],
    }
}

#[test]
fn a_wrong_kernel_is_caught_and_named() {
    let mamba = RandomModel::new(&Shape::odd(DType::Q4_K), DType::Q4_K, 5);
    let rwkv7 = RandomModel::rwkv7(&WkvShape::odd(DType::Q4_K), DType::Q4_K, 5);
    for (number, kernel) in KERNELS.iter().chain(&SAMPLING_KERNELS).enumerate() {
        let integers = ["matmul_q8", "matvec_many"].contains(&kernel.name);
        let activations = if integers { Activations::Q8 } else { Activations::F32 };
        let [right, wrong] = mistake(kernel.name);
        let model = if OF_RWKV7.contains(&kernel.name) { &rwkv7 } else { &mamba };
        let kinds = kinds();
        let kinds = match () {
            // The kernel over shuffles runs where there are some.
            () if kernel.name == "matvec_many" => &kinds[..1],
            () if every_round() => &kinds[..],
            () => &kinds[number % 3..][..1],
        };
        for options in kinds {
            let options = GpuOptions { corrupt: Some([kernel.name, right, wrong]), ..options.clone() };
            match run(model, &options, activations) {
                Err(Error::SelfTest { problem, .. }) => {
                    // One that runs in another's stage is known by that one's name.
                    let named = if kernel.name == "wkv7_norm" { "wkv7" } else { kernel.name };
                    assert!(problem.contains(&format!("`{named}`")), "{}: {problem}", kernel.name);
                }
                other => panic!("{}: {other:?}", kernel.name),
            }
        }
    }
}

fn load(backend: BackendChoice, corrupt: Option<[&'static str; 3]>) -> Result<Model, Error> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/models/falcon-tiny-Q4_K_M.gguf");
    let source: Rc<dyn ByteSource> = Rc::new(FileSource::open(&file).unwrap());
    // The name of an adapter makes `auto` take a software one too.
    let name = block_on(Gpu::open(&GpuOptions::default())).unwrap().adapter_name();
    let gpu = GpuOptions { corrupt, adapter: Some(name), self_test: Some(true), ..GpuOptions::default() };
    block_on(Model::load(vec![source], &LoadOptions { backend, gpu, ..LoadOptions::default() }, &mut |_, _| {}))
}

#[test]
fn a_wrong_gpu_is_passed_over_or_refused() {
    let wrong = Some(["in_project", "const UNITS: u32 = 8u;", "const UNITS: u32 = 7u;"]);
    let model = load(BackendChoice::Auto, wrong).unwrap();
    assert_eq!(model.info().backend, "cpu");
    assert!(model.info().reason.contains("computes wrongly") && model.info().reason.contains("in_project"));
    match load(BackendChoice::WebGpu, wrong) {
        Err(error) => assert_eq!((error.code(), error.remedy().is_empty()), ("gpu-wrong", false)),
        Ok(_) => panic!("a wrong GPU was taken"),
    }
    let model = load(BackendChoice::Auto, None).unwrap();
    assert_ne!(model.info().backend, "cpu", "{}", model.info().reason);
    assert!(model.info().self_test_milliseconds.is_some());
}
