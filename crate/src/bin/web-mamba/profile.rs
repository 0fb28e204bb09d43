//! `web-mamba profile`: the time of each kernel of a token on a GPU.

use clap::Args;
use serde_json::json;
use web_mamba::gpu::{Gpu, GpuExecutor};
use web_mamba::instruments::{Instruments, StageTime};
use web_mamba::model::ModelFile;
use web_mamba::{Error, Result};

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

impl Profile {
    pub fn run(&self) -> Result<()> {
        let file = ModelFile::of(open_gguf(&self.model.file)?)?;
        let (stages, in_turn) = pollster::block_on(async {
            let gpu = Gpu::open(&self.model.gpu_options()).await?;
            let activations = gpu.activations(self.model.activations())?;
            let executor = GpuExecutor::load(gpu, &file, activations, &mut |_| {}).await?;
            let stages = executor.stage_times(self.tokens).await?;
            Ok::<_, Error>((stages, 1e3 * executor.chunk_time(self.tokens).await?.as_secs_f64()))
        })?;
        let rate = |stage: &StageTime| stage.bytes as f64 / stage.milliseconds / 1e6;
        let values = stages.iter().map(|stage| {
            json!({
                "stage": stage.name, "kernel": stage.kernel, "dispatches": stage.stages,
                "milliseconds": stage.milliseconds, "bytes": stage.bytes, "gigabytes_per_second": rate(stage),
            })
        });
        let total: f64 = stages.iter().map(|stage| stage.milliseconds).sum();
        print(self.json, &json!({ "stages": values.collect::<Vec<_>>(), "milliseconds": total }), || {
            let line = |stage: &StageTime| {
                let each = 1e3 * stage.milliseconds / stage.stages as f64;
                format!("{:36} {:4} x {each:8.1} us  {:8.1} GB/s\n", stage.name, stage.stages, rate(stage))
            };
            stages.iter().map(line).collect::<String>()
                + &format!("{total:.2} ms in all, {in_turn:.2} ms one after the other")
        })
    }
}
