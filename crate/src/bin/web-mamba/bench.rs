//! `web-mamba bench` and `web-mamba compare`.

use std::fmt::Write as _;
use std::time::Instant;

use clap::Args;
use serde_json::json;
use web_mamba::Result;
use web_mamba::cpu::CpuExecutor;
use web_mamba::engine::Model;
use web_mamba::error::Error;
use web_mamba::executor::{Activations, Executor};
use web_mamba::gpu::{Gpu, GpuExecutor, first_difference, not_compared};
use web_mamba::measure::{self, BenchOptions, Figure, Report, some_tokens};
use web_mamba::model::ModelFile;
use web_mamba::pause::NoPause;
use web_mamba::sampler::{Sampler, SamplerOptions};

use crate::open::{ModelArguments, open_gguf};
use crate::print;

#[derive(Debug, Args)]
pub struct Bench {
    #[command(flatten)]
    model: ModelArguments,
    /// Tokens of the timed prefill.
    #[arg(long, default_value_t = 512)]
    prompt_tokens: usize,
    /// Tokens of the timed decode.
    #[arg(long, default_value_t = 64)]
    gen_tokens: usize,
    /// How often both are timed; the median counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Also time decode after this many tokens; the time should be the same at any position.
    #[arg(long)]
    position: Option<usize>,
    /// Also time the decode of a batch of this many sequences.
    #[arg(long, default_value_t = 1)]
    sequences: usize,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Bench {
    pub fn run(&self) -> Result<()> {
        let start = Instant::now();
        let mut model = self.model.load()?;
        let load_seconds = start.elapsed().as_secs_f64();
        let &Self { prompt_tokens, gen_tokens, runs, sequences, .. } = self;
        let options = BenchOptions { prompt_tokens, gen_tokens, runs, sequences, stages: false };
        let report = pollster::block_on(measure::bench(&mut model, &options, &mut |_, _, _| {}, &mut NoPause))?;
        let there = self.position.map(|position| tps_at(&mut model, position, gen_tokens)).transpose()?;
        let info = &report.info;
        let value = json!({
            "prefill_tps": report.prefill_tps.median, "decode_tps": report.decode_tps.median,
            "prefill_tps_all": report.prefill_tps, "decode_tps_all": report.decode_tps, "runs": runs,
            "decode_median_milliseconds": report.token_milliseconds,
            "prompt_tokens": prompt_tokens, "gen_tokens": gen_tokens,
            "position": self.position, "position_decode_tps": there,
            "sequences": sequences, "batch_decode_tps": report.batch_decode_tps.as_ref().map(|figure| figure.median),
            "batch_decode_tps_all": report.batch_decode_tps,
            "load_seconds": load_seconds, "self_test_milliseconds": info.self_test_milliseconds,
            "bytes_per_token": info.bytes_per_token, "bandwidth_bytes_per_second": report.bandwidth,
            "bound_tps": report.bound_tps, "percent_of_bound": report.percent_of_bound,
            "dispatches_per_token": report.dispatches_per_token,
            "state_bytes": info.state_bytes, "memory_bytes": info.memory_bytes,
            "peak_memory_bytes": peak_memory(), "backend": info.backend, "adapter": info.adapter,
            "activations": info.activations,
        });
        print(self.json, &value, || plain(&report, load_seconds, self.position.zip(there)))
    }
}

fn plain(report: &Report, load_seconds: f64, there: Option<(usize, f64)>) -> String {
    let Report { info, prefill_tps, decode_tps, prompt_tokens, gen_tokens, runs, .. } = report;
    let mut out = format!(
        "{} on {} ({}, {:?} activations), loaded in {load_seconds:.1} s\n\
         prefill {:8.1} tokens/s over {prompt_tokens} tokens (median of {runs}, {:.1} to {:.1})\n\
         decode  {:8.1} tokens/s over {gen_tokens} tokens (median of {runs}, {:.1} to {:.1})\n",
        info.name,
        info.adapter,
        info.backend,
        info.activations,
        prefill_tps.median,
        prefill_tps.lowest,
        prefill_tps.highest,
        decode_tps.median,
        decode_tps.lowest,
        decode_tps.highest,
    );
    // Writing to a string cannot fail.
    if let Some((position, tps)) = there {
        let _ = writeln!(out, "decode  {tps:8.1} tokens/s from position {position}");
    }
    if let Some(batch) = &report.batch_decode_tps {
        let (sequences, Figure { median, lowest, highest }) = (report.sequences, batch);
        let _ = writeln!(
            out,
            "decode  {median:8.1} tokens/s by {sequences} sequences (median of {runs}, {lowest:.1} to {highest:.1})"
        );
    }
    let bytes = report.bytes_per_token as f64;
    let _ = writeln!(out, "a token reads {:.1} MB: {:.2} GB/s", bytes / 1e6, bytes * decode_tps.median / 1e9);
    if let (Some(bandwidth), Some(bound), Some(percent)) = (report.bandwidth, report.bound_tps, report.percent_of_bound)
    {
        let _ = writeln!(
            out,
            "this device reads {:.1} GB/s: the bound is {bound:.1} tokens/s, and decode reaches {percent:.1} % of it",
            bandwidth / 1e9
        );
    }
    if let Some(dispatches) = report.dispatches_per_token {
        let _ = writeln!(out, "{dispatches} dispatches a token");
    }
    let _ = writeln!(out, "holds {:.1} MB", info.memory_bytes as f64 / 1e6);
    out
}

/// Tokens decoded per second after reading `position` tokens.
fn tps_at(model: &mut Model, position: usize, count: usize) -> Result<f64> {
    let vocab_size = model.info().vocab_size;
    match some_tokens(position, vocab_size).as_slice() {
        [] => {
            model.begin()?;
        }
        tokens => {
            pollster::block_on(model.logits(tokens))?;
        }
    }
    let start = Instant::now();
    pollster::block_on(async {
        let mut sampler = Sampler::new(SamplerOptions { seed: Some(0), ..SamplerOptions::default() })?;
        let mut token = 0;
        for _ in 0..count {
            token = model.executor().sample(0, &[token], &mut sampler).await?;
            sampler.accept(token);
        }
        Ok::<_, Error>(())
    })?;
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

/// The process's largest resident size in bytes, where the system reports it (Linux).
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024 * kibibytes)
}

#[derive(Debug, Args)]
pub struct Compare {
    #[command(flatten)]
    model: ModelArguments,
    /// Tokens to read, in chunks of the executors' own size.
    #[arg(long, default_value_t = 40)]
    tokens: usize,
    /// Largest accepted difference, relative to values above 1; by default 0.001, and 0.2 with 8-bit activations.
    #[arg(long)]
    tolerance: Option<f32>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Compare {
    pub fn run(&self) -> Result<()> {
        let file = ModelFile::of(open_gguf(&self.model.file)?)?;
        let wanted = self.model.activations().unwrap_or(Activations::F32);
        let tolerance = self.tolerance.unwrap_or(match wanted {
            Activations::F32 => 1e-3,
            Activations::Q8 => 0.2,
        });
        let (difference, not_compared) = pollster::block_on(async {
            let gpu = Gpu::open(&self.model.gpu_options()).await?;
            let activations = gpu.activations(Some(wanted))?;
            let mut gpu = GpuExecutor::load(gpu, &file, activations, &mut |_| {}).await?;
            let mut cpu = CpuExecutor::load(&file, Activations::F32, &mut |_| {}).await?;
            let not_compared = not_compared(&gpu);
            for chunk in some_tokens(self.tokens, file.network.vocab_size).chunks(cpu.max_tokens()) {
                let difference = first_difference(&mut cpu, &mut gpu, chunk, tolerance).await?;
                if difference.is_some() {
                    return Ok((difference, not_compared));
                }
            }
            Ok::<_, Error>((None, not_compared))
        })?;
        let value = difference.as_ref().map(|d| {
            json!({ "step": d.step, "what": d.what, "buffer": d.buffer, "index": d.index, "cpu": d.cpu, "gpu": d.gpu })
        });
        let value = json!({
            "difference": value, "activations": wanted, "tolerance": tolerance, "not_compared": not_compared,
        });
        print(self.json, &value, || {
            let found = match &difference {
                None => "CPU and GPU agree".into(),
                Some(d) => format!(
                    "step {} ({}) differs in buffer `{}` at {}: CPU {}, GPU {}",
                    d.step, d.what, d.buffer, d.index, d.cpu, d.gpu
                ),
            };
            not_compared.iter().fold(found, |found, not_compared| found + "\n" + not_compared)
        })
    }
}
