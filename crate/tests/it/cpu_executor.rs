//! The fast CPU executor: no result depends on threads or instructions, states go in and out, and 8-bit activations stay near
//! f32 ones.

use crate::support::batches::{alone, batched};
use crate::support::random_model::{RandomModel, Shape};
use crate::support::runs::logits;
use pollster::block_on;
use web_mamba::cpu::CpuExecutor;
use web_mamba::cpu::simd::Isa;
use web_mamba::executor::{Activations, Executor, Outputs};
use web_mamba::quant::DType;

fn load(model: &RandomModel, activations: Activations) -> CpuExecutor {
    block_on(CpuExecutor::load(model, activations, &mut |_| {})).unwrap()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn threads_and_instructions_change_nothing() {
    for (i, dtype) in [DType::F16, DType::Q4_0, DType::Q8_0, DType::Q4_K, DType::Q6_K].into_iter().enumerate() {
        let shape = Shape { norm_dt_b_c: i % 2 == 0, tied_head: i % 3 == 0, ..Shape::odd(dtype) };
        let model = RandomModel::new(&shape, dtype, 7 + i as u64);
        let mut executor = load(&model, Activations::Q8);
        executor.set_isa(Isa::Portable);
        let expected = logits(&mut executor);
        let state = block_on(executor.read_state(0)).unwrap();
        for (isa, threads) in Isa::available().into_iter().zip([2, 3, 17]) {
            executor.set_isa(isa);
            executor.set_threads(threads);
            assert_eq!(bits(&logits(&mut executor)), bits(&expected), "{dtype}, {isa:?}, {threads} threads");
            assert_eq!(block_on(executor.read_state(0)).unwrap(), state, "{dtype}, {isa:?}, {threads} threads");
        }
    }
}

/// A batch shares each reading of the weights, and its sequences share nothing else: each goes on as it would alone, bit for bit.
#[test]
fn a_batch_is_its_sequences() {
    for (i, dtype) in DType::all().enumerate() {
        let shape = Shape { norm_dt_b_c: i % 2 == 0, d_conv: 1 + i % 4, ..Shape::odd(dtype) };
        let model = RandomModel::new(&shape, dtype, 90 + i as u64);
        for (activations, threads) in [(Activations::F32, 1), (Activations::Q8, 1), (Activations::Q8, 3)] {
            let mut executor = load(&model, activations);
            executor.set_threads(threads);
            assert_eq!(batched(&mut executor), alone(&mut executor), "{dtype}, {activations:?}, {threads} threads");
        }
    }
}

#[test]
fn eight_bit_activations_stay_near_f32_ones() {
    for (i, dtype) in DType::all().enumerate() {
        let shape = Shape { norm_dt_b_c: i % 2 == 1, tied_head: i % 3 == 1, ..Shape::odd(dtype) };
        let model = RandomModel::new(&shape, dtype, 30 + i as u64);
        let (exact, fast) = (logits(&mut load(&model, Activations::F32)), logits(&mut load(&model, Activations::Q8)));
        let size = exact.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
        let error = exact.iter().zip(&fast).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        let relative = (error / size).sqrt();
        // About 0.6 % is lost in each of nine products one after the other, and the scan, which multiplies three of them,
        // amplifies it; something wrong is off by about 1. Nothing is rounded where weights have no quants.
        let bound = if dtype.block_len() == 1 { 1e-5 } else { 0.1 };
        println!("{dtype}: {relative:.1e}");
        assert!(relative < bound, "{dtype}: {relative}");
    }
}

/// Odd sizes of what belongs to channels.
#[test]
fn every_state_size_agrees_with_the_reference() {
    for (d_state, d_conv, d_inner) in [(16, 4, 70), (1, 1, 5), (3, 5, 33), (8, 2, 16), (2, 3, 1)] {
        let shape = Shape { d_state, d_conv, d_inner, ..Shape::odd(DType::F32) };
        let model = RandomModel::new(&shape, DType::F32, 61);
        let (mut exact, mut fast) = (load(&model, Activations::F32), load(&model, Activations::Q8));
        let (expected, found) = (logits(&mut exact), logits(&mut fast));
        let worst = expected.iter().zip(&found).map(|(a, b)| (a - b).abs() / a.abs().max(1.0)).fold(0.0, f32::max);
        assert!(worst < 2e-4, "{shape:?}: {worst}");

        let (a, b) = (block_on(exact.read_state(0)).unwrap(), block_on(fast.read_state(0)).unwrap());
        b.check(&model.network).unwrap();
        let pairs = a.tensors.iter().flatten().zip(b.tensors.iter().flatten());
        assert!(pairs.fold(0.0, |worst, (a, b)| (a - b).abs().max(worst)) < 1e-3, "{shape:?}");

        // One executor continues from the other's state, and from its own again.
        fast.write_state(0, &a).unwrap();
        assert_eq!(block_on(fast.read_state(0)).unwrap(), a, "{shape:?}");
        let next = |executor: &mut CpuExecutor| block_on(executor.forward(0, &[5], Outputs::Last)).unwrap();
        let (expected, found) = (next(&mut exact), next(&mut fast));
        let worst = expected.iter().zip(&found).map(|(a, b)| (a - b).abs() / a.abs().max(1.0)).fold(0.0, f32::max);
        assert!(worst < 2e-4, "{shape:?}, continued: {worst}");
    }
}
