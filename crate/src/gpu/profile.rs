//! Where a token's time goes: the device's time for each kind of stage, over all layers.

use futures_util::future::LocalBoxFuture;
use web_time::Instant;

use super::GpuExecutor;
use crate::error::Result;
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

impl GpuExecutor {
    fn kinds(&self, tokens: usize) -> Vec<Kind> {
        let steps: Vec<&Step> = self.network.plan.steps().collect();
        let mut kinds: Vec<Kind> = Vec::new();
        for (number, (range, kernel)) in self.stage_steps(tokens).into_iter().enumerate() {
            let steps = &steps[range];
            let names: Vec<_> = steps.iter().map(|step| self.step_name(step)).collect();
            let name = names.join(" + ");
            let bytes: u64 = steps.iter().map(|step| self.step_bytes(step)).sum();
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
    fn step_name(&self, step: &Step) -> String {
        match step.op {
            Op::Embed => "embed".into(),
            Op::RmsNorm { .. } => "norm".into(),
            Op::MatMul { .. } => {
                let weight = &self.weights[step.weights[0].0];
                let short = weight.name.split('.').rev().nth(1).unwrap_or(&weight.name);
                format!("{short} {}", weight.dtype)
            }
            Op::Conv1dSilu => "conv".into(),
            Op::SplitDtBC { .. } => "split".into(),
            Op::SelectiveScan => "scan".into(),
        }
    }

    fn step_bytes(&self, step: &Step) -> u64 {
        match step.op {
            Op::MatMul { .. } => self.weights[step.weights[0].0].bytes(),
            _ => 0,
        }
    }

    /// Times every kind of stage over a chunk of `tokens`, each after some work of its own: a GPU lowers its clocks when it
    /// has nothing to do.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`] where the device fails.
    pub async fn profile(&self, tokens: usize) -> Result<Vec<StageTime>> {
        let mut times = Vec::new();
        for kind in self.kinds(tokens) {
            let start = Instant::now();
            while start.elapsed() < SHORT_WARM_UP {
                self.time_stages(&kind.stages, tokens).await?;
            }
            let mut seconds = Vec::with_capacity(RUNS);
            for _ in 0..RUNS {
                seconds.push(self.time_stages(&kind.stages, tokens).await?.as_secs_f64());
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
}

impl Instruments for GpuExecutor {
    fn dispatches_per_token(&self) -> usize {
        Self::dispatches_per_token(self)
    }

    fn has_timestamps(&self) -> bool {
        self.gpu.timestamps
    }

    fn read_bandwidth(&self) -> LocalBoxFuture<'_, Result<f64>> {
        Box::pin(self.gpu.read_bandwidth())
    }

    fn stage_times(&self, tokens: usize) -> LocalBoxFuture<'_, Result<Vec<StageTime>>> {
        Box::pin(self.profile(tokens))
    }
}
