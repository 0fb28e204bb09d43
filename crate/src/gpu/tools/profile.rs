//! Where a token's time goes: the device's time for each kind of stage, over all layers.

use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use web_time::Instant;

use super::bandwidth::read_bandwidth;
use crate::error::Result;
use crate::executor::Executor;
use crate::gpu::executor::GpuExecutor;
use crate::gpu::lowering::Extent;
use crate::gpu::resources::MAX_CHUNK_TOKENS;
use crate::instruments::{Instruments, SHORT_WARM_UP, StageTime, median};
use crate::model::{Op, Step};

/// Each kind is timed this often, and the median counts.
const RUNS: usize = 9;

/// One kind of stage in all layers together: they read more than any cache keeps.
struct Kind {
    name: String,
    kernel: &'static str,
    stages: Vec<usize>,
    bytes: u64,
}

fn kinds(executor: &GpuExecutor, tokens: usize) -> Vec<Kind> {
    let steps: Vec<&Step> = executor.plan().steps().collect();
    let mut kinds: Vec<Kind> = Vec::new();
    for (number, (range, kernel)) in executor.stage_steps(tokens).into_iter().enumerate() {
        let steps = &steps[range];
        let names: Vec<_> = steps.iter().map(|step| step_name(executor, step)).collect();
        let name = names.join(" + ");
        let bytes: u64 = steps.iter().map(|step| step_bytes(executor, step)).sum();
        match kinds.iter_mut().find(|kind| kind.name == name) {
            Some(kind) => {
                kind.stages.push(number);
                kind.bytes += bytes;
            }
            None => kinds.push(Kind { name, kernel, stages: vec![number], bytes }),
        }
    }
    kinds
}

/// For a product the name of its tensor without layer and ending, and its type: `ssm_in Q4_K`.
fn step_name(executor: &GpuExecutor, step: &Step) -> String {
    match step.op {
        Op::Embed => "embed".into(),
        Op::RmsNorm { .. } => "norm".into(),
        Op::MatMul { .. } => {
            let weight = executor.runner().model().weight(step.weights[0]);
            let short = weight.name.split('.').rev().nth(1).unwrap_or(&weight.name);
            format!("{short} {}", weight.dtype)
        }
        Op::Conv1dSilu => "conv".into(),
        Op::SplitDtBC { .. } => "split".into(),
        Op::SelectiveScan => "scan".into(),
        op => op.name().into(),
    }
}

fn step_bytes(executor: &GpuExecutor, step: &Step) -> u64 {
    match step.op {
        Op::MatMul { .. } => executor.runner().model().weight(step.weights[0]).bytes(),
        _ => 0,
    }
}

/// Time that some stages take together over a chunk of the first tokens of the vocabulary: the device's own where it has
/// timestamps, else with submission and waiting. Their cost does not depend on the stages that ran before.
async fn time_stages(executor: &GpuExecutor, stages: &[usize], tokens: usize) -> Result<Duration> {
    let runner = executor.runner();
    let extent = Extent { tokens: tokens.min(MAX_CHUNK_TOKENS), sequences: 1, outputs: 1 };
    let ids: Vec<u32> = (0..extent.tokens as u32).map(|id| id % executor.vocab_size() as u32).collect();
    runner.prepare(&ids, extent, &[executor.next_slots()]);
    let all = runner.model().stages(extent);
    runner.model().gpu().time_pass(|pass| stages.iter().for_each(|&stage| all[stage].encode(pass, extent))).await
}

/// Runs `work`, which leaves nonsense in a state. The sequences keep theirs, and steps that run ahead their tokens.
async fn keeping_states<T>(executor: &GpuExecutor, work: impl Future<Output = Result<T>>) -> Result<T> {
    let model = executor.runner().model();
    // Where steps run ahead, the slot that is written next holds the state that they would be rolled back to.
    let [_, written] = executor.next_slots();
    let saved = model.storage().save(model.gpu(), model.network(), written);
    let done = work.await;
    model.storage().restore(model.gpu(), model.network(), &saved);
    done
}

/// Times all stages one after the other.
async fn time_chunk(executor: &GpuExecutor, tokens: usize) -> Result<Duration> {
    let extent = Extent { tokens: tokens.min(MAX_CHUNK_TOKENS), sequences: 1, outputs: 1 };
    let all: Vec<_> = (0..executor.runner().model().stages(extent).len()).collect();
    time_stages(executor, &all, tokens).await
}

/// Times each kind after some work of its own: a GPU lowers its clocks when it has nothing to do.
async fn time_kinds(executor: &GpuExecutor, tokens: usize) -> Result<Vec<StageTime>> {
    let mut times = Vec::new();
    for kind in kinds(executor, tokens) {
        let start = Instant::now();
        while start.elapsed() < SHORT_WARM_UP {
            time_stages(executor, &kind.stages, tokens).await?;
        }
        let mut seconds = Vec::with_capacity(RUNS);
        for _ in 0..RUNS {
            seconds.push(time_stages(executor, &kind.stages, tokens).await?.as_secs_f64());
        }
        times.push(StageTime {
            name: kind.name,
            kernel: kind.kernel,
            stages: kind.stages.len(),
            milliseconds: 1e3 * median(&mut seconds),
            bytes: kind.bytes,
        });
    }
    Ok(times)
}

impl Instruments for GpuExecutor {
    fn dispatches_per_token(&self) -> usize {
        let stages = self.runner().model().stages(Extent { tokens: 1, sequences: 1, outputs: 1 });
        stages.iter().map(|stage| stage.dispatches.len()).sum()
    }

    fn has_timestamps(&self) -> bool {
        self.runner().model().gpu().timestamps
    }

    fn read_bandwidth(&self) -> LocalBoxFuture<'_, Result<f64>> {
        Box::pin(read_bandwidth(self.runner().model().gpu()))
    }

    fn stage_times(&self, tokens: usize) -> LocalBoxFuture<'_, Result<Vec<StageTime>>> {
        Box::pin(keeping_states(self, time_kinds(self, tokens)))
    }

    fn chunk_time(&self, tokens: usize) -> LocalBoxFuture<'_, Result<Duration>> {
        Box::pin(keeping_states(self, time_chunk(self, tokens)))
    }
}
