//! Whole-model parity: every golden file, on the CPU and on a GPU (a software one in CI).

use crate::support::every_round;
use crate::support::golden::{
    self, AgainstLlama, Golden, check, check_against_llama, folder, max_difference, open, prefill,
};
use web_mamba::cpu::CpuExecutor;
use web_mamba::executor::{Activations, Executor, Outputs};
use web_mamba::gpu::{Gpu, GpuExecutor, GpuOptions, first_difference};

fn cpu(file: &str) -> CpuExecutor {
    let file = open(&folder().join("models").join(file));
    pollster::block_on(CpuExecutor::load(&file, Activations::F32, &mut |_| {})).unwrap()
}

fn gpu(file: &str, options: &GpuOptions) -> GpuExecutor {
    let file = open(&folder().join("models").join(file));
    let gpu = pollster::block_on(Gpu::open(options)).expect("a GPU, or a software Vulkan (scripts/setup --test)");
    pollster::block_on(GpuExecutor::load(gpu, &file, Activations::F32, &mut |_| {})).unwrap()
}

/// With all golden files before a release, else with `some`, each of which there has to be.
fn check_those(some: &[&str], load: impl FnMut(&str) -> Box<dyn Executor>) {
    let all = golden::all();
    for file in some {
        assert!(all.iter().any(|golden| golden.file == *file), "there is no golden file for {file}");
    }
    check_all(all.into_iter().filter(|golden| every_round() || some.contains(&golden.file.as_str())), load);
}

fn check_all(goldens: impl IntoIterator<Item = Golden>, mut load: impl FnMut(&str) -> Box<dyn Executor>) {
    let mut llama = AgainstLlama::default();
    for golden in goldens {
        let mut executor = load(&golden.file);
        let worst = check(executor.as_mut(), &golden, &mut llama);
        println!("{:28} {:6} worst logit difference {worst:.1e}", golden.file, executor.backend().kind);
    }
    check_against_llama(&llama);
    println!(
        "mean KL from llama.cpp {:.6}, between the references {:.6}; top-1 {} and {} of {}",
        llama.kl_ours / llama.positions as f64,
        llama.kl_hf / llama.positions as f64,
        llama.top1_ours,
        llama.top1_hf,
        llama.positions
    );
}

#[test]
fn cpu_meets_every_golden() {
    check_all(golden::all(), |file| Box::new(cpu(file)));
}

/// Of each type and each architecture one file: a software GPU takes ten seconds for each. Before a release, every file.
#[test]
fn gpu_meets_the_goldens() {
    let some = [
        "falcon-tiny-F32.gguf",
        "falcon-tiny-Q4_0.gguf",
        "falcon-tiny-Q4_K_M.gguf",
        "falcon-tiny-Q6_K.gguf",
        "mamba-tiny-F16.gguf",
        "mamba-tiny-Q5_K_M.gguf",
        "mamba-tiny-Q8_0.gguf",
        "rwkv7-a-F32.gguf",
        "rwkv7-a-Q8_0-conv.gguf",
        "rwkv7-b-Q4_K_M-f16src.gguf",
        "rwkv7-b-Q6_K.gguf",
        "rwkv7-c-Q4_K_M.gguf",
    ];
    check_those(&some, |file| Box::new(gpu(file, &GpuOptions { software: Some(false), ..Default::default() })));
}

/// What differs from the kernels above is how sums are shared among invocations: a type more brings another unit and nothing else.
#[test]
fn the_kernels_for_software_adapters_meet_the_goldens() {
    let some = ["falcon-tiny-Q5_K_M.gguf", "mamba-tiny-F16.gguf", "rwkv7-a-Q8_0.gguf", "rwkv7-b-Q4_K_M.gguf"];
    check_those(&some, |file| Box::new(gpu(file, &GpuOptions { software: Some(true), ..Default::default() })));
}

/// Bindings so small that every matrix is split into row shards.
#[test]
fn gpu_shards_meet_a_golden() {
    let options = GpuOptions { max_shard_bytes: Some(64 << 10), ..Default::default() };
    for golden in golden::all() {
        if ["falcon-tiny-F32.gguf", "mamba-tiny-Q4_K_M.gguf", "rwkv7-a-F16.gguf", "rwkv7-b-Q4_K_M.gguf"]
            .contains(&golden.file.as_str())
        {
            check(&mut gpu(&golden.file, &options), &golden, &mut AgainstLlama::default());
        }
    }
}

const IDS: [u32; 45] = {
    let mut ids = [0; 45];
    let mut i = 0;
    while i < 45 {
        ids[i] = (i as u32 * 37 + 11) % 512;
        i += 1;
    }
    ids
};

/// Prefill of N tokens and N decode steps leave the same state and logits.
fn prefill_equals_decode(executor: &mut dyn Executor) {
    let rows = prefill(executor, &IDS);
    let after_prefill = pollster::block_on(executor.read_state(0)).unwrap();
    executor.reset(0).unwrap();
    for (row, &id) in rows.iter().zip(&IDS) {
        let logits = pollster::block_on(executor.forward(0, &[id], Outputs::Last)).unwrap();
        assert!(max_difference(&logits, row) < 1e-4);
    }
    let after_decode = pollster::block_on(executor.read_state(0)).unwrap();
    assert_eq!(after_prefill.position, IDS.len() as u64);
    assert_eq!(after_decode.position, IDS.len() as u64);
    for (a, b) in after_prefill.tensors.iter().zip(&after_decode.tensors) {
        assert!(max_difference(a, b) < 1e-4);
    }
}

#[test]
fn prefill_equals_decode_on_the_cpu() {
    prefill_equals_decode(&mut cpu("falcon-tiny-Q4_K_M.gguf"));
    prefill_equals_decode(&mut cpu("mamba-tiny-F16.gguf"));
    prefill_equals_decode(&mut cpu("rwkv7-a-Q4_0.gguf"));
}

#[test]
fn prefill_equals_decode_on_the_gpu() {
    prefill_equals_decode(&mut gpu("falcon-tiny-Q4_K_M.gguf", &GpuOptions::default()));
    prefill_equals_decode(&mut gpu("mamba-tiny-F16.gguf", &GpuOptions::default()));
    prefill_equals_decode(&mut gpu("rwkv7-a-Q4_0.gguf", &GpuOptions::default()));
}

/// A state taken out and put back continues as if nothing had happened.
#[test]
fn a_state_continues_where_it_was_taken() {
    let options = GpuOptions::default();
    for executor in [
        &mut cpu("mamba-tiny-F32.gguf") as &mut dyn Executor,
        &mut gpu("mamba-tiny-F32.gguf", &options),
        &mut cpu("rwkv7-a-Q8_0.gguf"),
        &mut gpu("rwkv7-a-Q8_0.gguf", &options),
    ] {
        prefill(executor, &IDS[..20]);
        let state = pollster::block_on(executor.read_state(0)).unwrap();
        let first = pollster::block_on(executor.forward(0, &IDS[20..40], Outputs::Last)).unwrap();
        executor.write_state(0, &state).unwrap();
        let second = pollster::block_on(executor.forward(0, &IDS[20..40], Outputs::Last)).unwrap();
        assert_eq!(first, second);
    }
}

#[test]
fn every_step_agrees_between_cpu_and_gpu() {
    for file in ["falcon-tiny-Q5_K_M.gguf", "mamba-tiny-Q8_0.gguf", "rwkv7-b-Q5_K_M.gguf", "rwkv7-a-Q8_0-conv.gguf"] {
        let (mut cpu, mut gpu) = (cpu(file), gpu(file, &GpuOptions::default()));
        for chunk in [&IDS[..1], &IDS[1..30], &IDS[30..45]] {
            let difference = pollster::block_on(first_difference(&mut cpu, &mut gpu, chunk, 1e-4)).unwrap();
            assert_eq!(difference, None, "{file}");
        }
    }
}
