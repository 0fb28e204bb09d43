//! Every kernel of the table against its CPU twin, step by step through small random models, on a GPU (a software one in
//! CI): every type, odd shapes, states carried from chunk to chunk, row shards.

use std::collections::BTreeSet;

use crate::support::every_round;
use crate::support::random_model::{RandomModel, Shape, WkvShape};
use pollster::block_on;
use web_mamba::cpu::CpuExecutor;
use web_mamba::executor::{Activations, Executor, Outputs};
use web_mamba::gpu::{Difference, Gpu, GpuExecutor, GpuOptions, KERNELS, Kernel, first_difference};
use web_mamba::model::{BufferId, Function, Op, Plan, State, Step, Weight};
use web_mamba::quant::{DType, SplitMix64, device_row_bytes};

/// Largest difference, as a part of max(1, |value|). The worst over all cases on Mesa's software Vulkan is 9e-5, in the
/// scan's output and the final norm: sums of up to 512 products, after two layers in which WGSL lets `exp` be off by
/// 3 + 2 |x| units in the last place.
const TOLERANCE: f32 = 2e-4;

/// The same with 8-bit activations, whose rounding the CPU's f32 twins do not share: half a quant, 1/254 of the largest of 16
/// values, in what the stage before handed on. The worst over all cases is 0.10, a wrong kernel is off by about 1.
const Q8_TOLERANCE: f32 = 0.2;

/// A matrix-vector product, the least that is a tile, all but one token of a tile, a whole tile, and again one token.
const CHUNKS: [usize; 5] = [1, 2, 31, 32, 1];

fn executors(model: &RandomModel, options: &GpuOptions, activations: Activations) -> (CpuExecutor, GpuExecutor) {
    let cpu = block_on(CpuExecutor::load(model, Activations::F32, &mut |_| {})).unwrap();
    let gpu = block_on(Gpu::open(options)).expect("a GPU, or a software Vulkan (scripts/setup --test)");
    (cpu, block_on(GpuExecutor::load(gpu, model, activations, &mut |_| {})).unwrap())
}

/// Kernels, and the type that each decoded, where it decodes.
type Reached = BTreeSet<(&'static str, Option<&'static str>)>;

fn every_kernel_and_type(activations: Activations) -> Reached {
    let kernel_types = |kernel: &Kernel| {
        let decodes = kernel.decodes();
        // Types without quants are multiplied as values, whatever the activations.
        let mut types: Vec<_> = DType::all().filter(|_| decodes).collect();
        match (kernel.name, activations) {
            ("matmul", Activations::Q8) => types.retain(|dtype| dtype.block_len() == 1),
            ("matmul_q8" | "matvec_many", Activations::Q8) => types.retain(|dtype| dtype.block_len() > 1),
            ("matmul_q8" | "matvec_many", Activations::F32) => return Vec::new(),
            _ => {}
        }
        let names = types.into_iter().map(|dtype| Some(dtype.name()));
        names.chain((!decodes).then_some(None)).map(|dtype| (kernel.name, dtype)).collect()
    };
    // A stage is known by its first kernel: that of `wkv7` is compared after `wkv7_norm` too.
    KERNELS.iter().filter(|kernel| kernel.name != "wkv7_norm").flat_map(kernel_types).collect()
}

fn difference(cpu: &mut CpuExecutor, gpu: &mut GpuExecutor, tokens: &[u32], tolerance: f32) -> Option<Difference> {
    block_on(first_difference(cpu, gpu, tokens, tolerance)).unwrap()
}

/// In f32 the kernels for hardware and those for software adapters, in 8 bits with and without subgroups.
fn kinds(options: &GpuOptions, activations: Activations) -> [GpuOptions; 2] {
    let hardware = GpuOptions { software: Some(false), ..options.clone() };
    let other = match activations {
        Activations::F32 => GpuOptions { software: Some(true), ..options.clone() },
        Activations::Q8 => GpuOptions { default_limits: true, ..hardware.clone() },
    };
    [hardware, other]
}

/// Both executors must agree on every buffer of every stage over all chunks, with the kernels of both kinds. Gives those that ran.
fn check(name: &str, model: &RandomModel, options: &GpuOptions, activations: Activations) -> Reached {
    let kinds = kinds(options, activations);
    kinds.iter().flat_map(|options| check_kind(name, model, options, activations)).collect()
}

fn check_kind(name: &str, model: &RandomModel, options: &GpuOptions, activations: Activations) -> Reached {
    check_chunks(name, model, options, activations, &CHUNKS)
}

fn check_chunks(
    name: &str,
    model: &RandomModel,
    options: &GpuOptions,
    activations: Activations,
    chunks: &[usize],
) -> Reached {
    let (mut cpu, mut gpu) = executors(model, options, activations);
    let tolerance = match activations {
        Activations::F32 => TOLERANCE,
        Activations::Q8 => Q8_TOLERANCE,
    };
    let mut random = SplitMix64::new(chunks.len() as u64);
    let mut reached = Reached::new();
    for &count in chunks {
        let tokens: Vec<u32> = (0..count).map(|_| (random.bits() % model.network.vocab_size as u64) as u32).collect();
        let name = format!("{name}, {count} tokens, {activations:?}, {options:?}");
        assert_eq!(difference(&mut cpu, &mut gpu, &tokens, tolerance), None, "{name}");

        let plan = cpu.plan();
        let steps: Vec<_> = plan.steps().collect();
        reached.extend(gpu.stage_steps(count).into_iter().map(|(range, kernel)| {
            let matrix = steps[range].iter().find_map(|step| match step.op {
                Op::Embed | Op::MatMul { .. } => Some(step.weights[0]),
                _ => None,
            });
            (kernel, matrix.map(|id| model.weights.get(id).tensor.dtype.name()))
        }));
        // Agreeing on next to nothing would be no agreement.
        let logits = &cpu.buffer(plan.logits)[..count * model.network.vocab_size];
        let mean_square = logits.iter().map(|l| l * l).sum::<f32>() / logits.len() as f32;
        assert!((0.5..5.0).contains(&mean_square), "{name}: mean square of the logits is {mean_square}");
    }
    reached
}

#[test]
fn every_kernel_agrees_with_its_twin_for_every_type() {
    for activations in [Activations::F32, Activations::Q8] {
        let mut reached = Reached::new();
        for (i, dtype) in DType::all().enumerate() {
            let shape = Shape { norm_dt_b_c: i % 2 == 0, tied_head: i % 3 == 0, ..Shape::odd(dtype) };
            let models = [
                (dtype.name().to_owned(), RandomModel::new(&shape, dtype, i as u64)),
                (format!("rwkv7 of {dtype}"), RandomModel::rwkv7(&WkvShape::odd(dtype), dtype, i as u64)),
            ];
            for (j, (name, model)) in models.iter().enumerate() {
                for (turn, options) in kinds(&GpuOptions::default(), activations).iter().enumerate() {
                    // Else each type has each kind with one of the models.
                    if every_round() || (i + j + turn) % 2 == 0 {
                        reached.extend(check_kind(name, model, options, activations));
                    }
                }
            }
        }
        assert_eq!(reached, every_kernel_and_type(activations));
    }
}

/// The sizes that are compiled into kernels, and the switches of the plan.
#[test]
fn every_state_size_and_plan_agrees() {
    for (d_state, d_conv) in [(16, 4), (8, 2), (16, 2), (8, 4), (1, 1), (3, 5)] {
        for (norm_dt_b_c, tied_head) in [(false, false), (true, true)] {
            for dtype in [DType::F32, DType::Q4_K] {
                if !every_round() && tied_head == (dtype == DType::F32) {
                    continue;
                }
                let shape = Shape { d_state, d_conv, norm_dt_b_c, tied_head, ..Shape::odd(dtype) };
                let model = RandomModel::new(&shape, dtype, 41);
                check(&format!("{shape:?}"), &model, &GpuOptions::default(), Activations::F32);
            }
        }
    }
}

/// Heads of every size that is compiled in another way, ranks of less than a run, and numbers that saturate tanh and sigmoid.
#[test]
fn every_head_size_agrees() {
    let sizes = [16, 32, 48, 80, 112, 176, 256];
    for (i, head_size) in sizes.into_iter().step_by(if every_round() { 1 } else { 2 }).enumerate() {
        let ranks = WkvShape::odd(DType::F32).ranks;
        let shape =
            WkvShape { heads: 1 + i % 2, head_size, gain: 1.0 + 100.0 * (i % 2) as f32, ..WkvShape::odd(DType::F32) };
        let shape = WkvShape { ranks: web_mamba::model::arch::rwkv7::Ranks { decay: 72, iclr: 1, ..ranks }, ..shape };
        let model = RandomModel::rwkv7(&shape, DType::F32, 20 + i as u64);
        for (turn, default_limits) in [false, true].into_iter().enumerate() {
            if every_round() || turn == i / 2 % 2 {
                let options = GpuOptions { default_limits, ..GpuOptions::default() };
                check(&format!("{shape:?}"), &model, &options, Activations::F32);
            }
        }
    }
}

/// RWKV-7's recurrence brings blocks of tokens to workgroup memory, eight for heads of 64, fewer for larger ones: chunks that end with
/// a block, a token before and after, in the first and in a later one, and the state that each hands to the next.
#[test]
fn blocks_of_tokens_that_end_anywhere_agree() {
    for (heads, head_size) in [(2, 64), (3, 80), (1, 128)] {
        let shape = WkvShape { heads, head_size, vocab_size: 131, ..WkvShape::odd(DType::F32) };
        let model = RandomModel::rwkv7(&shape, DType::F32, 40);
        let chunks = [7, 8, 9, 19, 2, 4, 5, 24, 1];
        for (software, default_limits) in [(false, false), (false, true), (true, false)] {
            let options = GpuOptions { software: Some(software), default_limits, ..GpuOptions::default() };
            check_chunks(&format!("{shape:?}"), &model, &options, Activations::F32, &chunks);
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
        check(&format!("vectors of {vectors}"), &model, &GpuOptions::default(), Activations::F32);
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
        // A shard has 32 rows at the least.
        let widest = model.weights.all().iter().filter(|w| !w.elementwise).map(|w| w.columns).max().unwrap();
        let limit = whole.max().unwrap().max(32 * row_bytes(widest));
        let shards = |id| {
            let weight: &Weight = &model.weights.all()[id];
            weight.rows.div_ceil(limit / row_bytes(weight.columns))
        };
        for (id, spec) in model.network.tensors.iter().enumerate() {
            if ["token_embd.weight", "output.weight", "ssm_in.weight", "ssm_out.weight"].contains(&spec.suffix) {
                assert!(shards(id) > 1, "{dtype}: {} is not split", spec.name());
            }
        }
        let options = GpuOptions { max_shard_bytes: Some(limit as u64), ..Default::default() };
        check(&format!("{dtype} in shards"), &model, &options, Activations::F32);
    }
}

/// Plans whose steps no rule of fusion takes, or only some: each step runs all the same, beside fused ones, on values in the form
/// that these left behind.
#[test]
fn steps_that_are_not_fused_run_beside_fused_ones() {
    /// What a plan becomes, and kernels of decode: those that it must run, and one that it must not.
    type Case = (fn(&[Step]) -> Vec<Step>, &'static [&'static str], &'static str);
    let cases: [Case; 4] = [
        // A norm twice: the second finds its input whole, and leaves a norm that is finished.
        (
            |steps| after(steps, is_norm, Clone::clone),
            &["in_project", "dt_scan", "out_project", "rms_norm", "matvec"],
            "matmul",
        ),
        // The convolution's output is added to the residual: a product that is to find activations.
        (
            |steps| {
                let out = steps.iter().find(|step| step.op == Op::MatMul { accumulate: true }).unwrap().clone();
                after(
                    steps,
                    |step| step.op == Op::Conv1dSilu,
                    move |conv| Step { reads: conv.writes.clone(), ..out.clone() },
                )
            },
            &["matvec", "conv1d_silu", "dt_scan"],
            "in_project",
        ),
        // The time step's input is made, and something else runs before its product.
        (
            |steps| {
                let norm = steps.iter().find(|step| is_norm(step)).unwrap().clone();
                after(steps, |step| matches!(step.op, Op::SplitDtBC { .. }), move |_| norm.clone())
            },
            &["in_project", "split_dt_b_c", "matvec", "selective_scan", "out_project"],
            "dt_scan",
        ),
        // What the product of W_out leaves is normalised later.
        (
            |steps| {
                let split = steps.iter().find(|step| matches!(step.op, Op::SplitDtBC { .. })).unwrap().clone();
                after(steps, |step| step.op == Op::MatMul { accumulate: true }, move |_| split.clone())
            },
            &["in_project", "dt_scan", "matvec", "rms_norm"],
            "out_project",
        ),
    ];
    for (number, (change, expected, absent)) in cases.into_iter().enumerate() {
        let RandomModel(mut file) = RandomModel::new(&Shape::odd(DType::Q4_K), DType::Q4_K, 91);
        file.network.plan.layers = change(&file.network.plan.layers);
        for software in [false, true] {
            let options = GpuOptions { software: Some(software), ..GpuOptions::default() };
            let mut cpu = block_on(CpuExecutor::load(&file, Activations::F32, &mut |_| {})).unwrap();
            let gpu = block_on(Gpu::open(&options)).unwrap();
            let mut gpu = block_on(GpuExecutor::load(gpu, &file, Activations::F32, &mut |_| {})).unwrap();
            for tokens in [&[5][..], &[7], &[1, 2, 3], &[9]] {
                assert_eq!(difference(&mut cpu, &mut gpu, tokens, TOLERANCE), None, "plan {number}, {tokens:?}");
            }
            let kernels: BTreeSet<_> = gpu.stage_steps(1).into_iter().map(|(_, kernel)| kernel).collect();
            assert!(expected.iter().all(|kernel| kernels.contains(kernel)), "plan {number} runs {kernels:?}");
            assert!(!kernels.contains(absent), "plan {number} runs {kernels:?}");
            // And as a whole, without what the comparison hands on.
            let (right, found) =
                (block_on(cpu.forward(0, &[3], Outputs::Last)), block_on(gpu.forward(0, &[3], Outputs::Last)));
            let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-2 * a.abs().max(1.0);
            assert!(right.unwrap().iter().zip(&found.unwrap()).all(close), "plan {number} as a whole");
        }
    }
}

/// Every step of RWKV-7 is fused where it can be, and what a token costs is known.
#[test]
fn a_layer_of_rwkv7_is_eight_dispatches() {
    let model = RandomModel::rwkv7(&WkvShape::odd(DType::F32), DType::F32, 93);
    for software in [false, true] {
        let options = GpuOptions { software: Some(software), ..GpuOptions::default() };
        let (_, gpu) = executors(&model, &options, Activations::F32);
        let stages = gpu.stage_steps(1);
        let count = |name: &str| stages.iter().filter(|(_, kernel)| *kernel == name).count();
        // The first layer has no value residual, and as many dispatches; before and after them embedding and norm, norm and head.
        let kernels =
            [("shift_norm", 4), ("group_project", 4), ("matvec", 2 * 2 + 1), ("function_project", 2), ("wkv7_gate", 2)];
        for (kernel, expected) in kernels {
            assert_eq!(count(kernel), expected, "{kernel}: {stages:?}");
        }
        assert_eq!(gpu.instruments().unwrap().dispatches_per_token(), 4 + 2 * 8);
        assert_eq!(stages.len(), 4 + 2 * 8);
    }
}

fn kernel_count(gpu: &GpuExecutor, name: &str) -> usize {
    gpu.stage_steps(1).iter().filter(|(_, kernel)| *kernel == name).count()
}

/// Products of one dispatch may each have a type, and as many rows and columns, as they like; and each of them its function.
#[test]
fn grouped_products_may_have_any_types_and_sizes() {
    let mut types: Vec<_> = DType::all().collect();
    let odd = web_mamba::model::arch::rwkv7::Ranks { decay: 5, iclr: 72, value_residual: 33, gate: 140 };
    for (turn, ranks) in [(1, odd), (4, odd), (7, WkvShape::odd(DType::Q4_K).ranks)] {
        types.rotate_left(turn);
        let shape = WkvShape { ranks, ..WkvShape::odd(DType::Q4_K) };
        let model = RandomModel::rwkv7_mixed(&shape, &types, 95 + turn as u64);
        for (kind, activations) in [Activations::F32, Activations::Q8].into_iter().enumerate() {
            if every_round() || (turn + kind) % 2 == 0 {
                check(&format!("{types:?}"), &model, &GpuOptions::default(), activations);
            }
        }
        let (_, gpu) = executors(&model, &GpuOptions::default(), Activations::F32);
        assert_eq!(kernel_count(&gpu, "group_project"), 4);
    }
}

/// What a group's weights take together may be more than a binding: then there are more groups, in the end none, and the values are
/// the same but for the order of sums.
#[test]
fn groups_are_as_large_as_a_binding_allows() {
    let shape = WkvShape::odd(DType::F16);
    let model = RandomModel::rwkv7(&shape, DType::F16, 96);
    let square = model.weights.all().iter().find(|weight| weight.tensor.name.contains("receptance")).unwrap();
    let square = (square.rows * device_row_bytes(DType::F16, square.columns)) as u64;
    // All; two of the projections and not three; a projection alone: then the smaller products are grouped, as far as they fit.
    let cases = [(None, 4), (Some(2 * square + 512), 7), (Some(square), 5)];
    let mut first: Option<Vec<f32>> = None;
    for (max_shard_bytes, groups) in cases {
        for activations in [Activations::F32, Activations::Q8] {
            let options = GpuOptions { max_shard_bytes, software: Some(false), ..GpuOptions::default() };
            let (mut cpu, mut gpu) = executors(&model, &options, activations);
            let name = format!("{max_shard_bytes:?} {activations:?}: {:?}", gpu.stage_steps(1));
            let found = kernel_count(&gpu, "group_project");
            assert_eq!(found, groups, "{name}");
            let tolerance = if activations == Activations::F32 { TOLERANCE } else { Q8_TOLERANCE };
            for tokens in [&[5][..], &[1, 2, 3], &[9]] {
                assert_eq!(difference(&mut cpu, &mut gpu, tokens, tolerance), None, "{tokens:?} {name}");
            }
            if activations == Activations::F32 {
                let logits = block_on(gpu.forward(0, &[7], Outputs::Last)).unwrap();
                let right = first.get_or_insert_with(|| logits.clone());
                let close = |(a, b): (&f32, &f32)| (a - b).abs() <= TOLERANCE * a.abs().max(1.0);
                assert!(right.iter().zip(&logits).all(close), "{name}");
            }
        }
    }
}

/// Plans whose products wait for each other, or read what no group may bind: groups are those that are left, or none.
#[test]
fn products_that_wait_for_each_other_are_not_grouped() {
    type Case = (&'static str, fn(&mut Plan), usize);
    let cases: [Case; 4] = [
        (
            "a product of the receptance stands between those of the mixtures",
            |plan| {
                let [r, k, y, gated] = ["r", "k", "y", "y_gated"].map(|name| buffer(plan, name));
                let output = plan.layers.iter().find(|step| step.reads == [gated]).unwrap().weights.clone();
                let product = Op::MatMul { accumulate: false };
                let waits = Step { op: product, reads: vec![r], weights: output, state: vec![], writes: vec![y] };
                plan.layers = after(&plan.layers, |step| step.writes == [k], |_| waits.clone());
            },
            6,
        ),
        (
            "the keys of a layer are a function of the receptance: one buffer would be read and written",
            |plan| {
                let [r, k] = ["r", "k"].map(|name| buffer(plan, name));
                let step = plan.layers.iter_mut().find(|step| step.writes == [k]).unwrap();
                *step = Step { op: Op::Elementwise(Function::Tanh), reads: vec![r], weights: vec![], ..step.clone() };
            },
            0,
        ),
        (
            "what finishes the decay's first product is read by another product too",
            |plan| {
                let [tanh, a_low] = ["w_tanh", "a_low"].map(|name| buffer(plan, name));
                plan.layers.iter_mut().filter(|step| step.reads == [a_low]).for_each(|step| step.reads = vec![tanh]);
            },
            4,
        ),
        (
            "a product of the decay before its function",
            |plan| {
                let [low, a_low] = ["w_low", "a_low"].map(|name| buffer(plan, name));
                plan.layers.iter_mut().filter(|step| step.reads == [a_low]).for_each(|step| step.reads = vec![low]);
            },
            6,
        ),
    ];
    for (name, change, groups) in cases {
        // As many columns in the decay as in the rate.
        let shape = WkvShape::odd(DType::F32);
        let ranks = web_mamba::model::arch::rwkv7::Ranks { decay: 8, ..shape.ranks };
        let RandomModel(mut file) = RandomModel::rwkv7(&WkvShape { ranks, ..shape }, DType::F32, 97);
        change(&mut file.network.plan);
        for (software, activations) in [(false, Activations::F32), (true, Activations::F32), (false, Activations::Q8)] {
            let tolerance = if activations == Activations::F32 { TOLERANCE } else { Q8_TOLERANCE };
            let options = GpuOptions { software: Some(software), ..GpuOptions::default() };
            let mut cpu = block_on(CpuExecutor::load(&file, Activations::F32, &mut |_| {})).unwrap();
            let gpu = block_on(Gpu::open(&options)).unwrap();
            let mut gpu = block_on(GpuExecutor::load(gpu, &file, activations, &mut |_| {})).unwrap();
            let found = kernel_count(&gpu, "group_project");
            assert_eq!(found, groups, "{name}: {:?}", gpu.stage_steps(1));
            for tokens in [&[5][..], &[7], &[1, 2, 3], &[9]] {
                assert_eq!(difference(&mut cpu, &mut gpu, tokens, tolerance), None, "{name}, {tokens:?}");
            }
        }
    }
}

fn buffer(plan: &Plan, name: &str) -> BufferId {
    BufferId(plan.buffers.iter().position(|buffer| buffer.name == name).unwrap())
}

/// The mixtures of a token shift are planes of one buffer where a binding can hold them all.
#[test]
fn mixtures_that_no_binding_holds_together_are_made_apart() {
    let model = RandomModel::rwkv7(&WkvShape::odd(DType::F32), DType::F32, 94);
    let limit = GpuExecutor::largest_binding(&model.network, &model.weights);
    let options = GpuOptions { max_binding_bytes: Some(limit), ..GpuOptions::default() };
    let (mut cpu, mut gpu) = executors(&model, &options, Activations::F32);
    for tokens in [&[5][..], &[1, 2, 3], &[9]] {
        assert_eq!(difference(&mut cpu, &mut gpu, tokens, TOLERANCE), None, "{tokens:?}");
    }
    let stages = gpu.stage_steps(1);
    let count = |name: &str| stages.iter().filter(|(_, kernel)| *kernel == name).count();
    assert_eq!([count("token_shift"), count("shift_norm")], [2, 2], "{stages:?}");
}

/// Plans that read a buffer otherwise than those of Mamba and RWKV-7 do: as f32 what is a product's input there, the other way round,
/// and in both ways. Values are the CPU's step by step, and as a whole, where no comparison hands them on.
#[test]
fn what_a_step_writes_is_read_in_either_layout() {
    type Case = (&'static str, fn(&mut Plan));
    let cases: [Case; 5] = [
        ("a product reads the residual, which an embedding and products write", |plan| {
            let x = plan.layers[0].writes[0];
            plan.layers.iter_mut().filter(|step| is_product(step, false)).take(1).for_each(|step| step.reads = vec![x]);
        }),
        ("a norm is read by another alone", |plan| insert_norm(plan, true)),
        ("a norm is read by another and by a product", |plan| insert_norm(plan, false)),
        ("a scan is read by a norm", |plan| {
            // The norm of y is written where the convolution's output was.
            let scan = plan.layers.iter().position(|step| step.op == Op::SelectiveScan).unwrap();
            let Step { reads, weights, writes, .. } = plan.layers[scan].clone();
            let (xi, y) = (vec![reads[0]], writes);
            let norm = Op::RmsNorm { eps: 1e-5 };
            let norm = Step { op: norm, reads: y, weights: weights[2..].to_vec(), state: vec![], writes: xi.clone() };
            plan.layers[scan + 1].reads = xi;
            plan.layers.insert(scan + 1, norm);
        }),
        ("a convolution's output is the input of no product", |plan| {
            // The product of the convolution's output takes the scan's of the layer before.
            let scan = plan.layers.iter().find(|step| step.op == Op::SelectiveScan).unwrap().clone();
            let reads = |step: &Step| is_product(step, false) && step.reads[0] == scan.reads[0];
            plan.layers.iter_mut().filter(|step| reads(step)).for_each(|step| step.reads = scan.writes.clone());
        }),
    ];
    for (name, change) in cases {
        for (software, activations) in [(false, Activations::F32), (true, Activations::F32), (false, Activations::Q8)] {
            let RandomModel(mut file) = RandomModel::new(&Shape::odd(DType::F32), DType::F32, 92);
            change(&mut file.network.plan);
            let tolerance = if activations == Activations::F32 { TOLERANCE } else { Q8_TOLERANCE };
            let options = GpuOptions { software: Some(software), ..GpuOptions::default() };
            let mut cpu = block_on(CpuExecutor::load(&file, Activations::F32, &mut |_| {})).unwrap();
            let gpu = block_on(Gpu::open(&options)).unwrap();
            let mut gpu = block_on(GpuExecutor::load(gpu, &file, activations, &mut |_| {})).unwrap();
            for tokens in [&[5][..], &[7], &[1, 2, 3], &[9]] {
                assert_eq!(difference(&mut cpu, &mut gpu, tokens, tolerance), None, "{name}, {tokens:?}");
                let right = block_on(cpu.forward(0, tokens, Outputs::Each)).unwrap();
                let found = block_on(gpu.forward(0, tokens, Outputs::Each)).unwrap();
                let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 50.0 * tolerance * a.abs().max(1.0);
                assert!(right.iter().zip(&found).all(close), "{name}, {tokens:?} as a whole, {activations:?}");
            }
        }
    }
}

fn is_product(step: &Step, accumulate: bool) -> bool {
    step.op == Op::MatMul { accumulate }
}

/// After the first norm another one of its output. What read that output reads the second norm's, where it is to.
fn insert_norm(plan: &mut Plan, is_read: bool) {
    let first = plan.layers.iter().position(is_norm).unwrap();
    let norm = plan.layers[first].clone();
    plan.buffers.push(plan.buffer(norm.output()).clone());
    let second = Step { reads: norm.writes.clone(), writes: vec![BufferId(plan.buffers.len() - 1)], ..norm };
    if is_read {
        plan.layers[first + 1].reads = second.writes.clone();
    }
    plan.layers.insert(first + 1, second);
}

fn is_norm(step: &Step) -> bool {
    matches!(step.op, Op::RmsNorm { .. })
}

/// The steps, and after each of a kind another one.
fn after(steps: &[Step], kind: impl Fn(&Step) -> bool, other: impl Fn(&Step) -> Step) -> Vec<Step> {
    steps.iter().flat_map(|step| [Some(step.clone()), kind(step).then(|| other(step))]).flatten().collect()
}

/// The rows that the head takes are those of the last tokens, whichever way the head runs.
#[test]
fn wanted_tokens_are_the_last() {
    let model = RandomModel::new(&Shape::odd(DType::F32), DType::F32, 81);
    let vocab_size = model.network.vocab_size;
    let (cpu, gpu) = executors(&model, &GpuOptions::default(), Activations::F32);
    for mut executor in [Box::new(cpu) as Box<dyn Executor>, Box::new(gpu)] {
        let mut logits = |outputs| {
            executor.reset(0).unwrap();
            block_on(executor.forward(0, &[1, 130, 77, 0, 5], outputs)).unwrap()
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
    let (mut cpu, mut gpu) = executors(&model, &GpuOptions::default(), Activations::F32);
    let tokens = [3, 14, 15];
    assert_eq!(difference(&mut cpu, &mut gpu, &tokens, TOLERANCE), None);
    let right = block_on(cpu.read_state(0)).unwrap();
    let layer_steps = cpu.plan().layers.len() / 2;

    // The second layer's states: all of the first layer's buffers still agree.
    type Corrupt = fn(&mut State);
    let cases: [(Corrupt, &str, &str); 3] = [
        // A channel or four: a single state may be gated away.
        (|state| state.tensors[2].iter_mut().rev().take(3).for_each(|s| *s += 1.0), "Conv1dSilu", "xi"),
        (|state| state.tensors[3].iter_mut().rev().take(64).for_each(|s| *s += 1.0), "SelectiveScan", "y"),
        (|state| *state.tensors[3].last_mut().unwrap() = f32::NAN, "SelectiveScan", "y"),
    ];
    for (corrupt, step, buffer) in cases {
        let mut wrong = right.clone();
        corrupt(&mut wrong);
        cpu.write_state(0, &right).unwrap();
        gpu.write_state(0, &wrong).unwrap();
        let found = difference(&mut cpu, &mut gpu, &tokens, TOLERANCE).expect("a difference");
        assert!(found.what.starts_with(step) && found.buffer == buffer, "{found:?}");
        assert!(found.step > layer_steps, "{found:?}");
    }
    let other = RandomModel::new(&Shape::odd(DType::F32), DType::F32, 83);
    let (_, mut other) = executors(&other, &GpuOptions::default(), Activations::F32);
    let found = difference(&mut cpu, &mut other, &tokens, TOLERANCE).expect("a difference");
    assert_eq!((found.step, found.buffer.as_str()), (0, "x"));
}
