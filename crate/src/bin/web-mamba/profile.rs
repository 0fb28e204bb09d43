//! `web-mamba profile`: where a token's time goes on a GPU.

use clap::Args;
use serde_json::json;
use web_mamba::Result;
use web_mamba::gpu::{Gpu, GpuExecutor};
use web_mamba::model::{Config, Step, Weights};

use crate::open::{ModelArguments, open_gguf};
use crate::print;

#[derive(Debug, Args)]
pub struct Profile {
    #[command(flatten)]
    model: ModelArguments,
    /// Tokens of the chunk: 1 is decode.
    #[arg(long, default_value_t = 1)]
    tokens: usize,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// One kind of stage, in all layers together: the steps that it joins, and the bytes of weights that it reads.
struct Kind {
    name: String,
    stages: Vec<usize>,
    bytes: u64,
}

/// Each kind is timed this often, and the median counts.
const RUNS: usize = 9;

impl Profile {
    pub fn run(&self) -> Result<()> {
        let gguf = open_gguf(&self.model.file)?;
        let config = Config::from_metadata(&gguf.metadata)?;
        let weights = Weights::find(&gguf, &config)?;
        let rows = pollster::block_on(async {
            let gpu = Gpu::open(&self.model.gpu_options()).await?;
            let activations = self.model.activations().unwrap_or_else(|| gpu.best_activations());
            let load = GpuExecutor::load;
            let executor = load(gpu, &gguf, &config, &weights, activations, &mut |_| {}).await?;
            let mut rows = Vec::new();
            for kind in kinds(&executor, self.tokens, &weights) {
                let mut seconds = Vec::with_capacity(RUNS);
                for _ in 0..RUNS {
                    seconds.push(executor.time_stages(&kind.stages, self.tokens).await?.as_secs_f64());
                }
                seconds.sort_by(f64::total_cmp);
                rows.push((kind, seconds[RUNS / 2]));
            }
            Ok::<_, web_mamba::Error>(rows)
        })?;
        let values = rows.iter().map(|(kind, seconds)| {
            json!({
                "stage": kind.name, "dispatches": kind.stages.len(), "milliseconds": 1e3 * seconds,
                "bytes": kind.bytes, "gigabytes_per_second": kind.bytes as f64 / seconds / 1e9,
            })
        });
        let total: f64 = rows.iter().map(|(_, seconds)| 1e3 * seconds).sum();
        print(self.json, &json!({ "stages": values.collect::<Vec<_>>(), "milliseconds": total }), || {
            let line = |(kind, seconds): &(Kind, f64)| {
                let rate = kind.bytes as f64 / seconds / 1e9;
                format!(
                    "{:36} {:4} x {:8.1} us  {rate:8.1} GB/s\n",
                    kind.name,
                    kind.stages.len(),
                    1e6 * seconds / kind.stages.len() as f64
                )
            };
            rows.iter().map(line).collect::<String>() + &format!("{total:.2} ms in all")
        })
    }
}

/// The same stage of every layer is one kind: together they read more than any cache keeps.
fn kinds(executor: &GpuExecutor, tokens: usize, weights: &Weights) -> Vec<Kind> {
    let steps: Vec<&Step> = executor.plan().steps().collect();
    let mut kinds: Vec<Kind> = Vec::new();
    for (number, (range, _)) in executor.stage_steps(tokens).into_iter().enumerate() {
        let steps = &steps[range];
        let names: Vec<_> = steps.iter().map(|step| name(step, weights)).collect();
        let name = names.join(" + ");
        let bytes: u64 = steps.iter().map(|step| bytes(step, weights)).sum();
        match kinds.iter_mut().find(|kind| kind.name == name) {
            Some(kind) => {
                kind.stages.push(number);
                kind.bytes += bytes;
            }
            None => kinds.push(Kind { name, stages: vec![number], bytes }),
        }
    }
    kinds
}

fn name(step: &Step, weights: &Weights) -> String {
    match step {
        Step::Embed { .. } => "embed".into(),
        Step::RmsNorm { .. } => "norm".into(),
        Step::MatMul { weight, .. } => {
            let tensor = &weights.get(*weight).tensor;
            let short = tensor.name.split('.').rev().nth(1).unwrap_or(&tensor.name);
            format!("{short} {}", tensor.dtype)
        }
        Step::Conv1dSilu { .. } => "conv".into(),
        Step::SplitDtBC { .. } => "split".into(),
        Step::SelectiveScan { .. } => "scan".into(),
    }
}

fn bytes(step: &Step, weights: &Weights) -> u64 {
    match step {
        Step::MatMul { weight, .. } => weights.get(*weight).tensor.bytes,
        _ => 0,
    }
}
