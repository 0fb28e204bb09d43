//! The number of ranks of a model: the fewest that hold it, and more only where a trial shows that more are faster.

use std::ops::RangeInclusive;

use web_time::{Duration, Instant};

use super::CpuExecutor;
use super::tensor_parallel::{TensorParallelExecutor, WorkerPool};
use crate::error::{Error, Result};
use crate::executor::{Activations, Executor, Outputs};
use crate::model::arch::Scale;
use crate::model::{ModelFile, Network, Slice, Weights};
use crate::synthetic;

/// The part of a rank's address space that is left for buffers of the load and for the program.
const SPARE_BYTES: u64 = 256 << 20;

/// A trial's widths at the most. Wider layers gain more from another rank, so this errs on the side of fewer.
const TRIAL_D_MODEL: usize = 1024;
const TRIAL_D_INNER: usize = 4096;
const TRIAL_VOCAB: usize = 8192;

/// How long each of the three runs of a trial takes.
const TRIAL: Duration = Duration::from_millis(15);

/// More ranks are used only if they take at most this share of the time: each takes memory and a core, and a trial sees a quiet
/// moment. Ranks that exchange messages and gain a tenth then lose a third as soon as something else uses the cores.
const MAX_TIME_RATIO: f64 = 0.75;

/// The most ranks that are considered where memory asks for several: beyond it no page has the cores, nor a device the memory.
const MAX_RANKS: usize = 64;

/// The fewest ranks that hold a model in address spaces of `available` bytes; none where no number of them does.
pub fn min_ranks(network: &Network, weights: &Weights, available: u64) -> Option<usize> {
    let available = available.saturating_sub(SPARE_BYTES);
    let total = CpuExecutor::memory_needed(network, weights).total();
    if total <= available {
        return Some(1);
    }
    let fits = |ranks, rank| {
        let slice = Slice::new(network, weights, rank, ranks);
        CpuExecutor::memory_needed(&slice.network, &slice.weights).total() <= available
    };
    // Together they hold all of it; the last has the largest share, but for a part of a unit, and is looked at first.
    rank_counts(network, weights, total, available).find(|&ranks| (0..ranks).rev().all(|rank| fits(ranks, rank)))
}

/// As [`min_ranks`] of a model of `total` bytes in all whose tensors are not all known, and so not how they are cut.
pub fn min_ranks_by_bytes(network: &Network, weights: &Weights, total: u64, available: u64) -> Option<usize> {
    let available = available.saturating_sub(SPARE_BYTES);
    if total <= available {
        return Some(1);
    }
    rank_counts(network, weights, total, available).next()
}

/// The numbers of ranks, from two, whose shares may be small enough.
fn rank_counts(network: &Network, weights: &Weights, total: u64, available: u64) -> RangeInclusive<usize> {
    let least = usize::try_from(total.div_ceil(available.max(1))).unwrap_or(usize::MAX);
    least.max(2)..=Slice::max_ranks(network, weights).min(MAX_RANKS)
}

/// Determines the number of ranks.
///
/// # Errors
/// [`Error::OutOfMemory`] where no number of them holds the model; what a trial gives where one rank does not hold it.
pub async fn choose_ranks(pool: &dyn WorkerPool, file: &ModelFile, activations: Activations) -> Result<usize> {
    let ModelFile { network, weights, .. } = file;
    let available = usize::MAX as u64;
    let Some(least) = min_ranks(network, weights, available) else {
        let needed = CpuExecutor::memory_needed(network, weights).total();
        return Err(Error::OutOfMemory { what: "the model".into(), needed, available: Some(available) });
    };
    let possible = Slice::max_ranks(network, weights);
    let most = pool.max_ranks().min(possible);
    if let Some(requested) = pool.requested_ranks() {
        return Ok(requested.clamp(least, possible));
    }
    if least >= most {
        return Ok(least);
    }
    // Where trials fail, the fewest ranks may still run.
    Ok(fastest(pool, file, activations, least, most).await.unwrap_or(least))
}

async fn fastest(
    pool: &dyn WorkerPool,
    file: &ModelFile,
    activations: Activations,
    least: usize,
    most: usize,
) -> Result<usize> {
    let trial = trial_model(file).await?;
    let heads = file.network.vocab_size as f64 / trial.network.vocab_size as f64;
    let most = most.min(Slice::max_ranks(&trial.network, &trial.weights));
    let (mut best, mut ranks, mut time) = (least, least, f64::INFINITY);
    while ranks <= most {
        let mut executor = TensorParallelExecutor::load(&trial, activations, (pool, ranks, true), &mut |_| {}).await?;
        let layer = time_token(&mut executor, Outputs::None).await?;
        let head = time_token(&mut executor, Outputs::Last).await? - layer;
        let found = file.network.n_layers as f64 * layer + heads * head.max(0.0);
        if found > time * MAX_TIME_RATIO {
            break;
        }
        (best, time) = (ranks, found);
        ranks = if ranks < most { (2 * ranks).min(most) } else { most + 1 };
    }
    Ok(best)
}

/// The model that a trial runs: one layer of the real one and its head, or less of them. A head needs one exchange and a layer two,
/// so that a small model with many words gains from another rank by its head alone.
///
/// # Errors
/// As of [`synthetic::model_like`].
pub async fn trial_model(file: &ModelFile) -> Result<ModelFile> {
    let most = Scale { d_model: TRIAL_D_MODEL, inner: TRIAL_D_INNER, rank: usize::MAX };
    synthetic::model_like(file, most, file.network.vocab_size.min(TRIAL_VOCAB)).await
}

/// Seconds a token, the best of three.
async fn time_token(executor: &mut TensorParallelExecutor, outputs: Outputs) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let (start, mut tokens) = (Instant::now(), 0);
        while start.elapsed() < TRIAL {
            executor.forward(0, &[7], outputs).await?;
            tokens += 1;
        }
        best = best.min(start.elapsed().as_secs_f64() / f64::from(tokens));
    }
    Ok(best)
}
