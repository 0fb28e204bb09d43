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

/// One kind of step, in all layers together: what it is, and the bytes of weights that it reads.
struct Kind {
    name: String,
    steps: Vec<usize>,
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
            let executor = GpuExecutor::load(gpu, &gguf, &config, &weights, &mut |_| {}).await?;
            let mut rows = Vec::new();
            for kind in kinds(&executor, &config, &weights) {
                let mut seconds = Vec::with_capacity(RUNS);
                for _ in 0..RUNS {
                    seconds.push(executor.time_steps(&kind.steps, self.tokens).await?.as_secs_f64());
                }
                seconds.sort_by(f64::total_cmp);
                rows.push((kind, seconds[RUNS / 2]));
            }
            Ok::<_, web_mamba::Error>(rows)
        })?;
        let values = rows.iter().map(|(kind, seconds)| {
            json!({
                "step": kind.name, "dispatches": kind.steps.len(), "milliseconds": 1e3 * seconds,
                "bytes": kind.bytes, "gigabytes_per_second": kind.bytes as f64 / seconds / 1e9,
            })
        });
        let total: f64 = rows.iter().map(|(_, seconds)| 1e3 * seconds).sum();
        print(self.json, &json!({ "steps": values.collect::<Vec<_>>(), "milliseconds": total }), || {
            let line = |(kind, seconds): &(Kind, f64)| {
                let rate = kind.bytes as f64 / seconds / 1e9;
                format!(
                    "{:28} {:4} x {:8.1} us  {rate:8.1} GB/s\n",
                    kind.name,
                    kind.steps.len(),
                    1e6 * seconds / kind.steps.len() as f64
                )
            };
            rows.iter().map(line).collect::<String>() + &format!("{total:.2} ms in all")
        })
    }
}

/// The same step of every layer is one kind: together they read more than any cache keeps.
fn kinds(executor: &GpuExecutor, config: &Config, weights: &Weights) -> Vec<Kind> {
    let plan = executor.plan();
    let per_layer = (plan.layers.len() - 1) / config.n_layers;
    let steps: Vec<&Step> = plan.layers.iter().chain(&plan.head).collect();
    let kind = |indices: Vec<usize>| Kind {
        name: name(steps[indices[0]], weights),
        bytes: indices.iter().map(|&i| bytes(steps[i], weights)).sum(),
        steps: indices,
    };
    let layers = (1..=per_layer).map(|first| (0..config.n_layers).map(|n| first + n * per_layer).collect());
    let head = (plan.layers.len()..steps.len()).map(|i| vec![i]);
    std::iter::once(vec![0]).chain(layers).chain(head).map(kind).collect()
}

fn name(step: &Step, weights: &Weights) -> String {
    match step {
        Step::Embed { .. } => "embed".into(),
        Step::RmsNorm { .. } => "rms_norm".into(),
        Step::MatMul { weight, .. } => {
            let tensor = &weights.get(*weight).tensor;
            let short = tensor.name.split('.').rev().nth(1).unwrap_or(&tensor.name);
            format!("matmul {short} {}", tensor.dtype)
        }
        Step::Conv1dSilu { .. } => "conv1d_silu".into(),
        Step::SelectiveScan { .. } => "selective_scan".into(),
    }
}

fn bytes(step: &Step, weights: &Weights) -> u64 {
    match step {
        Step::MatMul { weight, .. } => weights.get(*weight).tensor.bytes,
        _ => 0,
    }
}
