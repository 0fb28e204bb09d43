//! Shapes of the tiles of matrix products: which one a product has, and that each gives what the CPU does, whatever the sizes.

use crate::support::random_model::{RandomModel, WkvShape};
use pollster::block_on;
use web_mamba::cpu::CpuExecutor;
use web_mamba::executor::{Activations, Executor, Outputs};
use web_mamba::gpu::{Gpu, GpuExecutor, GpuOptions, Tile, first_difference};
use web_mamba::model::arch::rwkv7::Ranks;
use web_mamba::quant::{DType, SplitMix64};

/// Tokens that are compared step by step: small batches, one token more, two tiles of tokens but for one.
const TOKENS: [usize; 4] = [2, 16, 17, 31];

/// Chunks that are compared as a whole: of a short prompt, and the longest.
const CHUNKS: [usize; 2] = [64, 512];

/// Products of 8 to 4096 rows and as many columns: of every tile there is.
const SHAPE: WkvShape = WkvShape {
    heads: 4,
    head_size: 64,
    d_ffn: 4096,
    ranks: Ranks { decay: 8, iclr: 96, value_residual: 129, gate: 480 },
    vocab_size: 33,
    gain: 1.0,
};

/// The CPU, and the GPU with the shapes for hardware, whatever the adapter.
fn executors(types: &[DType], activations: Activations) -> (CpuExecutor, GpuExecutor) {
    let model = RandomModel::rwkv7_mixed(&SHAPE, types, 71);
    let hardware = GpuOptions { software: Some(false), ..GpuOptions::default() };
    let gpu = block_on(Gpu::open(&hardware)).expect("a GPU, or a software Vulkan (scripts/setup --test)");
    let cpu = block_on(CpuExecutor::load(&model, Activations::F32, &mut |_| {})).unwrap();
    (cpu, block_on(GpuExecutor::load(gpu, &model, activations, &mut |_| {})).unwrap())
}

fn tokens(count: usize) -> Vec<u32> {
    let mut random = SplitMix64::new(count as u64);
    (0..count).map(|_| (random.bits() % SHAPE.vocab_size as u64) as u32).collect()
}

fn check(types: &[DType], activations: Activations) {
    let (mut cpu, mut gpu) = executors(types, activations);
    // As in gpu_kernels.rs.
    let tolerance = if activations == Activations::F32 { 2e-4 } else { 0.2 };
    for count in TOKENS {
        let found = block_on(first_difference(&mut cpu, &mut gpu, &tokens(count), tolerance)).unwrap();
        assert_eq!(found, None, "{types:?}, {activations:?}, {count} tokens");
    }
}

/// The last logits and the state of an executor after tokens, `chunk` at a time.
fn after(executor: &mut impl Executor, tokens: &[u32], chunk: usize) -> Vec<f32> {
    executor.reset(0).unwrap();
    let mut logits = Vec::new();
    for chunk in tokens.chunks(chunk) {
        logits = block_on(executor.forward(0, chunk, Outputs::Last)).unwrap();
    }
    let state = block_on(executor.read_state(0)).unwrap();
    logits.into_iter().chain(state.tensors.into_iter().flatten()).collect()
}

/// Largest difference, as a part of the root mean square.
fn difference(right: &[f32], found: &[f32]) -> f32 {
    let mean_square = right.iter().map(|a| a * a).sum::<f32>() / right.len() as f32;
    let errors = right.iter().zip(found).map(|(a, b)| (a - b).abs());
    let worst = errors.map(|error| if error.is_nan() { f32::INFINITY } else { error }).fold(0.0, f32::max);
    worst / mean_square.sqrt()
}

#[test]
fn tiles_of_values_agree_with_the_cpu() {
    check(&[DType::F16], Activations::F32);
    check(&[DType::F32], Activations::F32);
    check(&[DType::BF16], Activations::Q8);
}

#[test]
fn tiles_of_quants_agree_with_the_cpu() {
    check(&[DType::Q4_K, DType::F32], Activations::Q8);
    check(&[DType::F16, DType::Q8_0, DType::Q6_K], Activations::Q8);
    check(&[DType::Q8_0, DType::BF16, DType::Q4_K], Activations::F32);
}

/// Tiles beside each other over a long chunk.
#[test]
fn long_chunks_agree_with_short_ones() {
    let (mut cpu, mut gpu) = executors(&[DType::F16, DType::Q8_0, DType::F32], Activations::F32);
    for count in CHUNKS {
        let tokens = tokens(count);
        gpu.set_max_tokens(count);
        let error = difference(&after(&mut cpu, &tokens, 32), &after(&mut gpu, &tokens, count));
        assert!(error < 1e-2, "{count} tokens: {error}");
    }
}

/// Few rows are divided so that a large GPU has work, and many take the tile that reads least.
#[test]
fn tiles_follow_from_the_rows() {
    let hardware = GpuOptions { software: Some(false), ..GpuOptions::default() };
    let gpu = block_on(Gpu::open(&hardware)).expect("a GPU, or a software Vulkan (scripts/setup --test)");
    for integers in [false, true] {
        let rows_of = |rows| Tile::prefill(&gpu, integers, rows).rows;
        let expected = if integers { [16, 16, 16, 16, 16, 32, 32, 64] } else { [16, 16, 16, 16, 32, 64, 64, 64] };
        assert_eq!([8, 96, 128, 288, 480, 1024, 2560, 65_536].map(rows_of), expected);
        for rows in 1..4096 {
            let tile = Tile::prefill(&gpu, integers, rows);
            let invocations = rows.div_ceil(tile.rows) * (512 / tile.tokens) * tile.workgroup();
            assert!(tile.rows == 16 || invocations >= 132 * 256, "{rows} rows: {tile:?}");
            assert_eq!(Tile::small_batch(&gpu, integers, rows).tokens, 16);
        }
        for tile in Tile::all(integers) {
            let Tile { rows, tokens, own_rows, own_tokens, units_at_once, slices } = tile;
            // The slices' sums, half of them at once, lie where the tile was.
            let vectors = if integers { 2 * units_at_once } else { 8 * units_at_once };
            let sums = tile.workgroup() / 2 * own_rows * own_tokens / 4;
            assert!(slices == 1 || sums <= (rows + tokens) * (vectors + 1), "{tile:?}");
            let shared = if integers { units_at_once } else { vectors };
            assert!(shared % slices == 0 && slices.is_power_of_two() && tile.workgroup() <= 256, "{tile:?}");
            assert!(rows % own_rows == 0 && tokens % own_tokens == 0, "{tile:?}");
            assert!(integers || own_tokens == 4, "{tile:?}");
        }
    }
}
