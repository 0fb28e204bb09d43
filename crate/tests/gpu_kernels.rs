//! Every kernel of the table against its CPU twin, step by step through small random models, on a GPU (a software one in
//! CI): every type, odd shapes, states carried from chunk to chunk, row shards.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/gguf_writer.rs"]
mod gguf_writer;
#[path = "support/random_model.rs"]
mod random_model;

use std::collections::BTreeSet;

use pollster::block_on;
use random_model::{Random, RandomModel, Shape};
use web_mamba::cpu::CpuExecutor;
use web_mamba::executor::{Executor, Outputs};
use web_mamba::gpu::{Difference, Gpu, GpuExecutor, GpuOptions, KERNELS, first_difference};
use web_mamba::model::{State, Step};
use web_mamba::quant::{DType, device_row_bytes};

/// Largest difference, as a part of max(1, |value|). The worst over all cases on Mesa's software Vulkan is 9e-5, in the
/// scan's output and the final norm: sums of up to 512 products, after two layers in which WGSL lets `exp` be off by
/// 3 + 2 |x| units in the last place.
const TOLERANCE: f32 = 2e-4;

/// A matrix-vector product, the least that is a tile, all but one token of a tile, a whole tile, and again one token.
const CHUNKS: [usize; 5] = [1, 2, 31, 32, 1];

fn executors(model: &RandomModel, options: &GpuOptions) -> (CpuExecutor, GpuExecutor) {
    let RandomModel { gguf, config, weights } = model;
    let cpu = block_on(CpuExecutor::load(gguf, config, weights, &mut |_| {})).unwrap();
    let gpu = block_on(Gpu::open(options)).expect("a GPU, or a software Vulkan (scripts/setup --test)");
    (cpu, block_on(GpuExecutor::load(gpu, gguf, config, weights, &mut |_| {})).unwrap())
}

/// The kernel that a step runs over so many rows. A kernel that no step reaches here fails the test below: name its step
/// when you add it.
fn kernel_of(step: &Step, rows: usize, software: bool) -> &'static str {
    match step {
        Step::Embed { .. } => "embed",
        Step::RmsNorm { .. } => "rms_norm",
        Step::MatMul { .. } if rows == 1 && software => "matvec_row",
        Step::MatMul { .. } if rows == 1 => "matvec",
        Step::MatMul { .. } => "matmul",
        Step::Conv1dSilu { .. } => "conv1d_silu",
        Step::SelectiveScan { .. } => "selective_scan",
    }
}

/// Kernels, and the type that each decoded, where it decodes.
type Reached = BTreeSet<(&'static str, Option<&'static str>)>;

fn every_kernel_and_type() -> Reached {
    let types = |decodes| DType::all().filter(move |_| decodes).map(|dtype| Some(dtype.name()));
    let kernel_types = |decodes| types(decodes).chain((!decodes).then_some(None));
    KERNELS.iter().flat_map(|kernel| kernel_types(kernel.decodes).map(|dtype| (kernel.name, dtype))).collect()
}

fn difference(cpu: &mut CpuExecutor, gpu: &mut GpuExecutor, tokens: &[u32]) -> Option<Difference> {
    block_on(first_difference(cpu, gpu, tokens, TOLERANCE)).unwrap()
}

/// Both executors must agree on every buffer of every step over all chunks, with the kernels for hardware and with those
/// for software adapters. Gives the kernels that ran.
fn check(name: &str, model: &RandomModel, options: &GpuOptions) -> Reached {
    let kinds = [false, true].map(|software| check_kind(name, model, options, software));
    kinds.into_iter().flatten().collect()
}

fn check_kind(name: &str, model: &RandomModel, options: &GpuOptions, software: bool) -> Reached {
    let (mut cpu, mut gpu) = executors(model, &GpuOptions { software: Some(software), ..options.clone() });
    let mut random = Random(CHUNKS.len() as u64);
    let mut reached = Reached::new();
    for count in CHUNKS {
        let tokens: Vec<u32> = (0..count).map(|_| (random.next() % model.weights.vocab_size as u64) as u32).collect();
        assert_eq!(difference(&mut cpu, &mut gpu, &tokens), None, "{name}, {count} tokens");

        let plan = cpu.plan();
        reached.extend(plan.layers.iter().chain(&plan.head).map(|step| {
            let matrix = match step {
                Step::Embed { table: weight, .. } | Step::MatMul { weight, .. } => Some(*weight),
                _ => None,
            };
            (kernel_of(step, count, software), matrix.map(|id| model.weights.get(id).tensor.dtype.name()))
        }));
        // Agreeing on next to nothing would be no agreement.
        let logits = &cpu.buffer(plan.logits)[..count * model.weights.vocab_size];
        let mean_square = logits.iter().map(|l| l * l).sum::<f32>() / logits.len() as f32;
        assert!((0.5..5.0).contains(&mean_square), "{name}: mean square of the logits is {mean_square}");
    }
    reached
}

#[test]
fn every_kernel_agrees_with_its_twin_for_every_type() {
    let mut reached = Reached::new();
    for (i, dtype) in DType::all().enumerate() {
        let shape = Shape { norm_dt_b_c: i % 2 == 0, tied_head: i % 3 == 0, ..Shape::odd(dtype) };
        let model = RandomModel::new(&shape, dtype, i as u64);
        reached.extend(check(dtype.name(), &model, &GpuOptions::default()));
    }
    assert_eq!(reached, every_kernel_and_type());
}

/// The sizes that are compiled into kernels, and the switches of the plan.
#[test]
fn every_state_size_and_plan_agrees() {
    for (d_state, d_conv) in [(16, 4), (8, 2), (16, 2), (8, 4), (1, 1), (3, 5)] {
        for (norm_dt_b_c, tied_head) in [(false, false), (true, true)] {
            // With an odd d_state the rows of dt start anywhere, which a type's own dot products do not take.
            for dtype in [DType::F32, DType::Q4_K] {
                let shape = Shape { d_state, d_conv, norm_dt_b_c, tied_head, ..Shape::odd(dtype) };
                check(&format!("{shape:?}"), &RandomModel::new(&shape, dtype, 41), &GpuOptions::default());
            }
        }
    }
}

/// A file may give every tensor its own type, vectors included. A model has ten matrices, so the types are turned.
#[test]
fn types_may_be_mixed() {
    let mut types: Vec<_> = DType::all().collect();
    let shape = Shape::odd(DType::Q4_K);
    for vectors in [DType::F32, DType::F16, DType::BF16] {
        types.rotate_left(5);
        let model = RandomModel::mixed(&shape, &types, vectors, 50);
        check(&format!("vectors of {vectors}"), &model, &GpuOptions::default());
    }
}

/// Bindings just large enough for the largest thing that is never split.
#[test]
fn row_shards_agree_for_every_type() {
    for (i, dtype) in DType::all().enumerate() {
        let shape = Shape { d_state: 2, d_conv: 2, tied_head: i % 2 == 0, ..Shape::odd(dtype) };
        let model = RandomModel::new(&shape, dtype, 60 + i as u64);
        let row_bytes = |columns| device_row_bytes(dtype, columns);
        let whole = model
            .weights
            .all()
            .iter()
            .map(|w| if w.elementwise { 4 * w.rows * w.columns } else { row_bytes(w.columns) });
        let limit = whole.max().unwrap();
        let shards = |id| {
            let weight = model.weights.get(id);
            weight.rows.div_ceil(limit / row_bytes(weight.columns))
        };
        let layer = model.weights.layers[0];
        for id in [model.weights.token_embd, model.weights.output, layer.ssm_in, layer.ssm_out] {
            assert!(shards(id) > 1, "{dtype}: {} is not split", model.weights.get(id).tensor.name);
        }
        let options = GpuOptions { max_binding_bytes: Some(limit as u64), ..Default::default() };
        check(&format!("{dtype} in shards"), &model, &options);
    }
}

/// WebGPU promises 65,535 workgroups in one dimension of a dispatch; a head of more rows than these own needs a second.
#[test]
fn a_head_larger_than_one_dimension_of_a_dispatch_agrees() {
    let shape = Shape { d_model: 4, d_inner: 8, vocab_size: 4 * 65_535 + 7, tied_head: true, ..Shape::odd(DType::F32) };
    let (mut cpu, mut gpu) = executors(&RandomModel::new(&shape, DType::F32, 80), &GpuOptions::default());
    for tokens in [&[4 * 65_535 + 6][..], &[0, 65_535]] {
        assert_eq!(difference(&mut cpu, &mut gpu, tokens), None);
    }
}

/// Rows of types without blocks end anywhere in a unit. What lies behind such a row of x belongs to others, and may be what no
/// weight of zero makes harmless.
#[test]
fn what_follows_a_row_of_x_is_not_read() {
    // Rows of dt are 20 of 52 floats, or 5 of 11: whole vectors of four, or none.
    for (dt_rank, d_state) in [(20, 16), (5, 3)] {
        for dtype in [DType::F32, DType::F16, DType::BF16] {
            let shape = Shape { dt_rank, d_state, ..Shape::odd(dtype) };
            for (software, tokens) in [(false, 1), (true, 1), (false, 5)] {
                let options = GpuOptions { software: Some(software), ..Default::default() };
                let (_, gpu) = executors(&RandomModel::new(&shape, dtype, 90), &options);
                let plan = gpu.plan().clone();
                let of_dt = |step: &&Step| matches!(step, Step::MatMul { x, .. } if x.width == dt_rank);
                let (number, step) = plan.layers.iter().enumerate().find(|(_, step)| of_dt(step)).unwrap();
                let Step::MatMul { x, out, .. } = *step else { unreachable!() };

                let width = plan.buffer(x.buffer).width;
                let row: Vec<f32> = (0..width).map(|i| if i < x.start + dt_rank { 1.0 } else { f32::NAN }).collect();
                assert!(row[width - 1].is_nan(), "nothing follows the rows of dt");
                gpu.write_batch(&[1, 2, 3, 4, 5][..tokens], 0);
                gpu.write_buffer(x.buffer, &row.repeat(tokens));
                gpu.run_step(number, tokens, 0);
                let values = block_on(gpu.buffer(out, tokens)).unwrap();
                assert!(values.iter().all(|v| v.is_finite()), "{dtype}, {dt_rank} columns, {tokens} tokens");
            }
        }
    }
}

/// The rows that the head takes are those of the last tokens, whichever way the head runs.
#[test]
fn wanted_tokens_are_the_last() {
    let model = RandomModel::new(&Shape::odd(DType::F32), DType::F32, 81);
    let vocab_size = model.weights.vocab_size;
    let (cpu, gpu) = executors(&model, &GpuOptions::default());
    for mut executor in [Box::new(cpu) as Box<dyn Executor>, Box::new(gpu)] {
        let mut logits = |outputs| {
            executor.write_state(&State::new(&model.config)).unwrap();
            block_on(executor.forward(&[1, 130, 77, 0, 5], outputs)).unwrap()
        };
        let (none, last, each) = (logits(Outputs::None), logits(Outputs::Last), logits(Outputs::Each));
        assert_eq!((none.len(), last.len(), each.len()), (0, vocab_size, 5 * vocab_size));
        let same = last.iter().zip(&each[4 * vocab_size..]).all(|(a, b)| (a - b).abs() <= TOLERANCE);
        assert!(same, "the last token's logits alone are not those of every token's");
    }
}

/// The comparison can fail, and names the buffer that a wrong state or a wrong weight reaches first.
#[test]
fn a_difference_is_named() {
    let model = RandomModel::new(&Shape::odd(DType::F32), DType::F32, 82);
    let (mut cpu, mut gpu) = executors(&model, &GpuOptions::default());
    let tokens = [3, 14, 15];
    assert_eq!(difference(&mut cpu, &mut gpu, &tokens), None);
    let right = block_on(cpu.read_state()).unwrap();
    let layer_steps = cpu.plan().layers.len() / 2;

    // The second layer's states: all of the first layer's buffers still agree.
    type Corrupt = fn(&mut State);
    let cases: [(Corrupt, &str, &str); 3] = [
        // A channel or four: a single state may be gated away.
        (|state| state.conv.iter_mut().rev().take(3).for_each(|s| *s += 1.0), "Conv1dSilu", "xi"),
        (|state| state.ssm.iter_mut().rev().take(64).for_each(|s| *s += 1.0), "SelectiveScan", "xi"),
        (|state| *state.ssm.last_mut().unwrap() = f32::NAN, "SelectiveScan", "xi"),
    ];
    for (corrupt, step, buffer) in cases {
        let mut wrong = right.clone();
        corrupt(&mut wrong);
        cpu.write_state(&right).unwrap();
        gpu.write_state(&wrong).unwrap();
        let found = difference(&mut cpu, &mut gpu, &tokens).expect("a difference");
        assert!(found.what.starts_with(step) && found.buffer == buffer, "{found:?}");
        assert!(found.step > layer_steps, "{found:?}");
    }
    let other = RandomModel::new(&Shape::odd(DType::F32), DType::F32, 83);
    let found = difference(&mut cpu, &mut executors(&other, &GpuOptions::default()).1, &tokens).expect("a difference");
    assert_eq!((found.step, found.buffer), (0, "x"));
}
