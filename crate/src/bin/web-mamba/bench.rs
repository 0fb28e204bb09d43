//! `web-mamba bench` and `web-mamba compare`.

use std::time::Instant;

use clap::Args;
use serde_json::json;
use web_mamba::Result;
use web_mamba::cpu::CpuExecutor;
use web_mamba::engine::Model;
use web_mamba::error::Error;
use web_mamba::executor::{Activations, Executor};
use web_mamba::gpu::{Gpu, GpuExecutor, first_difference};
use web_mamba::model::{Config, Weights};
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
    /// Read this many tokens, untimed, before the decode; by default those of the timed prefill.
    #[arg(long)]
    position: Option<usize>,
    /// Also time the decode of so many answers at once.
    #[arg(long)]
    sequences: Option<usize>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Any tokens do: their values change no cost. These spread over the vocabulary.
fn some_tokens(count: usize, vocab_size: usize) -> Vec<u32> {
    (0..count).map(|i| (i.wrapping_mul(7919) % vocab_size) as u32).collect()
}

impl Bench {
    pub fn run(&self) -> Result<()> {
        if self.gen_tokens == 0 || self.prompt_tokens == 0 {
            let expected = "at least 1";
            return Err(Error::InvalidOption { option: "prompt-tokens or gen-tokens", found: "0".into(), expected });
        }
        let start = Instant::now();
        let mut model = self.model.load()?;
        let load_seconds = start.elapsed().as_secs_f64();
        // One token more than a chunk goes through every pipeline once: drivers compile at first use.
        let warm_up = model.executor().max_tokens() + 1;
        read(&mut model, warm_up)?;
        let prefill_seconds = read(&mut model, self.prompt_tokens)?;
        let position = self.position.unwrap_or(self.prompt_tokens);
        if position != self.prompt_tokens {
            read(&mut model, position)?;
        }
        let token_seconds = decode(&mut model, self.gen_tokens)?;
        let median = token_seconds[token_seconds.len() / 2];
        let total: f64 = token_seconds.iter().sum();
        let many = match self.sequences {
            Some(sequences) => {
                let seconds = decode_many(&mut model, sequences, self.gen_tokens)?;
                Some((sequences, (sequences * self.gen_tokens) as f64 / seconds))
            }
            None => None,
        };
        let info = model.info().clone();
        let value = json!({
            "prefill_tps": self.prompt_tokens as f64 / prefill_seconds,
            "decode_tps": self.gen_tokens as f64 / total,
            "decode_median_milliseconds": 1e3 * median,
            "sequences": many.map(|(sequences, _)| sequences), "many_decode_tps": many.map(|(_, rate)| rate),
            "prompt_tokens": self.prompt_tokens, "gen_tokens": self.gen_tokens, "position": position,
            "load_seconds": load_seconds, "bytes_per_token": info.bytes_per_token,
            "state_bytes": info.state_bytes, "memory_bytes": info.memory_bytes,
            "peak_memory_bytes": peak_memory(), "backend": info.backend, "adapter": info.adapter,
            "activations": info.activations,
        });
        let plain = || {
            let many = many.map_or_else(String::new, |(sequences, rate)| {
                format!("{sequences} answers at once {rate:.1} tokens/s\n")
            });
            many + &format!(
                "{} on {} ({})\nprefill {:.1} tokens/s over {} tokens\ndecode  {:.1} tokens/s over {} tokens from position {position}\n\
                 reads {:.1} MB a token, {:.2} GB/s; holds {:.1} MB",
                info.name,
                info.adapter,
                info.backend,
                self.prompt_tokens as f64 / prefill_seconds,
                self.prompt_tokens,
                self.gen_tokens as f64 / total,
                self.gen_tokens,
                info.bytes_per_token as f64 / 1e6,
                info.bytes_per_token as f64 / median / 1e9,
                info.memory_bytes as f64 / 1e6,
            )
        };
        print(self.json, &value, plain)
    }
}

/// Reads `count` tokens from a fresh state, and the last one's logits; seconds taken.
fn read(model: &mut Model, count: usize) -> Result<f64> {
    let tokens = some_tokens(count, model.info().vocab_size);
    let start = Instant::now();
    if tokens.is_empty() {
        model.begin()?;
    } else {
        pollster::block_on(model.logits(&tokens))?;
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Seconds of each of `count` decode steps from where the state is, sorted: choosing each token as an answer would.
fn decode(model: &mut Model, count: usize) -> Result<Vec<f64>> {
    let mut sampler = Sampler::new(SamplerOptions::default())?;
    let mut seconds = Vec::with_capacity(count);
    let mut token = 0;
    for _ in 0..count {
        let start = Instant::now();
        token = pollster::block_on(model.executor().choose(0, &[token], &mut sampler))?;
        sampler.accept(token);
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds)
}

/// Seconds of `count` steps of `sequences` answers at once, all together.
fn decode_many(model: &mut Model, sequences: usize, count: usize) -> Result<f64> {
    pollster::block_on(async {
        model.begin_many(sequences).await?;
        let mut samplers = vec![Sampler::new(SamplerOptions::default())?; sequences];
        let mut tokens: Vec<(usize, u32)> = (0..sequences).map(|s| (s, s as u32 % 7)).collect();
        let mut start = Instant::now();
        // The first step goes through every pipeline once, and is not timed.
        for step in 0..=count {
            let mut all: Vec<_> = samplers.iter_mut().collect();
            let ids = model.executor().choose_each(&tokens, &mut all).await?;
            for ((token, sampler), id) in tokens.iter_mut().zip(&mut samplers).zip(ids) {
                sampler.accept(id);
                token.1 = id;
            }
            if step == 0 {
                start = Instant::now();
            }
        }
        Ok(start.elapsed().as_secs_f64())
    })
}

/// The process's largest resident size in bytes, where the system tells it (Linux).
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
    /// Largest accepted difference, relative to values above 1.
    #[arg(long, default_value_t = 1e-3)]
    tolerance: f32,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Compare {
    pub fn run(&self) -> Result<()> {
        let gguf = open_gguf(&self.model.file)?;
        let config = Config::from_metadata(&gguf.metadata)?;
        let weights = Weights::find(&gguf, &config)?;
        let difference = pollster::block_on(async {
            let gpu = Gpu::open(&self.model.gpu_options()).await?;
            let mut gpu = GpuExecutor::load(gpu, &gguf, &config, &weights, Activations::F32, &mut |_| {}).await?;
            let mut cpu = CpuExecutor::load(&gguf, &config, &weights, Activations::F32, &mut |_| {}).await?;
            for chunk in some_tokens(self.tokens, weights.vocab_size).chunks(cpu.max_tokens()) {
                let difference = first_difference(&mut cpu, &mut gpu, chunk, self.tolerance).await?;
                if difference.is_some() {
                    return Ok(difference);
                }
            }
            Ok::<_, Error>(None)
        })?;
        let value = difference.as_ref().map(|d| {
            json!({ "step": d.step, "what": d.what, "buffer": d.buffer, "index": d.index, "cpu": d.cpu, "gpu": d.gpu })
        });
        print(self.json, &json!({ "difference": value }), || match &difference {
            None => "CPU and GPU agree".into(),
            Some(d) => format!(
                "step {} ({}) differs in buffer `{}` at {}: CPU {}, GPU {}",
                d.step, d.what, d.buffer, d.index, d.cpu, d.gpu
            ),
        })
    }
}
