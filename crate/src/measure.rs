//! Measuring a loaded model: the same code for the page's benchmark and for the tool's. Every figure is the median of several
//! runs, after some work to warm up: drivers compile at first use, and processors and GPUs lower their clocks when idle.

use serde::{Deserialize, Serialize};
use web_time::Instant;

use crate::engine::{Model, ModelInfo};
use crate::error::{Error, Result};
use crate::executor::MAX_SEQUENCES;
use crate::generate::{Event, GenerateOptions, Generation, Prompt};
use crate::instruments::{StageTime, WARM_UP, median};
use crate::pause::Pause;
use crate::sampler::SamplerOptions;

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BenchOptions {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens of the completion.
    pub gen_tokens: usize,
    /// How often.
    pub runs: usize,
    /// Time the decode of a batch of this many sequences too, where it is more than one.
    pub sequences: usize,
    /// Time each kind of kernel too.
    pub stages: bool,
}

impl Default for BenchOptions {
    fn default() -> Self {
        Self { prompt_tokens: 512, gen_tokens: 64, runs: 5, sequences: 1, stages: false }
    }
}

/// What is being measured, for a progress line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum BenchStep {
    /// Work that does not count.
    WarmUp,
    /// A prompt and its completion.
    Run,
    /// Completions of all sequences of a batch.
    Batch,
    /// The device's memory.
    Bandwidth,
    /// The kernels.
    Stages,
}

/// A figure of several runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// The one to quote.
    pub median: f64,
    /// The lowest of all runs.
    pub lowest: f64,
    /// The highest of all runs.
    pub highest: f64,
}

impl Figure {
    fn of(mut runs: Vec<f64>) -> Self {
        let median = median(&mut runs);
        let (lowest, highest) = (runs.first().copied(), runs.last().copied());
        Self { median, lowest: lowest.unwrap_or(median), highest: highest.unwrap_or(median) }
    }
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What was asked for.
    pub prompt_tokens: usize,
    /// What was asked for.
    pub gen_tokens: usize,
    /// How often.
    pub runs: usize,
    /// Prompt tokens per second.
    pub prefill_tps: Figure,
    /// Tokens made per second, after the first, the choice of each token included.
    pub decode_tps: Figure,
    /// Sequences of the batch.
    pub sequences: usize,
    /// Tokens made per second by all sequences of a batch together, after the first of each; none for one sequence.
    pub batch_decode_tps: Option<Figure>,
    /// Milliseconds of a decoded token, the median of all tokens of all runs.
    pub token_milliseconds: f64,
    /// Bytes of weights that a token reads.
    pub bytes_per_token: u64,
    /// Bytes that the device reads per second; none where it cannot be measured (the CPU).
    pub bandwidth: Option<f64>,
    /// Tokens per second if reading the weights at that speed were all.
    pub bound_tps: Option<f64>,
    /// How much of that bound decode reaches, in percent.
    pub percent_of_bound: Option<f64>,
    /// Dispatches of one decoded token; none on the CPU.
    pub dispatches_per_token: Option<usize>,
    /// Where a decoded token's time goes; empty unless asked for, and on the CPU.
    pub decode_stages: Vec<StageTime>,
    /// Whether the device itself timed these.
    pub timestamps: bool,
    /// The model, and where it runs.
    pub info: ModelInfo,
}

/// Tokens spread over the vocabulary: their values do not change the cost.
pub fn some_tokens(count: usize, vocab_size: usize) -> Vec<u32> {
    (0..count).map(|i| (i.wrapping_mul(7919) % vocab_size) as u32).collect()
}

/// Measures a model. `progress` is called with each step, the runs done before it, and the runs in all. The pauses between two tokens
/// or chunks count in no figure.
///
/// # Errors
/// [`Error::InvalidOption`] for a count of zero or a prompt of a million tokens; what the executor or a pause gives.
pub async fn bench(
    model: &mut Model,
    options: &BenchOptions,
    progress: &mut dyn FnMut(BenchStep, usize, usize),
    pause: &mut dyn Pause,
) -> Result<Report> {
    check(options)?;
    let &BenchOptions { prompt_tokens, gen_tokens, runs, sequences, .. } = options;
    progress(BenchStep::WarmUp, 0, runs);
    let start = Instant::now();
    // A run goes through every pipeline once; short ones until the clocks are up.
    run(model, prompt_tokens, 2, pause).await?;
    while start.elapsed() < WARM_UP {
        run(model, 1, 8, pause).await?;
    }
    let (mut prefill, mut decode, mut batch, mut tokens) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for done in 0..runs {
        progress(BenchStep::Run, done, runs);
        let mut once = run(model, prompt_tokens, gen_tokens, pause).await?;
        prefill.push(once.prefill_tps);
        decode.push(once.decode_tps);
        tokens.append(&mut once.milliseconds);
    }
    // Apart from those, whose prefill would begin with the device's making room for one state in place of many.
    if sequences > 1 {
        run_batch(model, sequences, 8, pause).await?;
        for done in 0..runs {
            progress(BenchStep::Batch, done, runs);
            batch.push(run_batch(model, sequences, gen_tokens, pause).await?);
        }
    }
    let info = model.info().clone();
    let instruments = model.executor().instruments();
    let mut report = Report {
        prompt_tokens,
        gen_tokens,
        runs,
        prefill_tps: Figure::of(prefill),
        decode_tps: Figure::of(decode),
        sequences,
        batch_decode_tps: (sequences > 1).then(|| Figure::of(batch)),
        token_milliseconds: median(&mut tokens),
        bytes_per_token: info.bytes_per_token,
        bandwidth: None,
        bound_tps: None,
        percent_of_bound: None,
        dispatches_per_token: None,
        decode_stages: Vec::new(),
        timestamps: false,
        info,
    };
    if let Some(instruments) = instruments {
        progress(BenchStep::Bandwidth, runs, runs);
        let bandwidth = instruments.read_bandwidth().await?;
        let bound = bandwidth / report.bytes_per_token as f64;
        report.bandwidth = Some(bandwidth);
        report.bound_tps = Some(bound);
        report.percent_of_bound = Some(100.0 * report.decode_tps.median / bound);
        report.dispatches_per_token = Some(instruments.dispatches_per_token());
        report.timestamps = instruments.has_timestamps();
        if options.stages {
            progress(BenchStep::Stages, runs, runs);
            report.decode_stages = instruments.stage_times(1).await?;
        }
    }
    // Timing single stages leaves nonsense in the state.
    model.begin()?;
    Ok(report)
}

fn check(options: &BenchOptions) -> Result<()> {
    let limits = [
        ("promptTokens", options.prompt_tokens, 1..=1 << 20, "from 1 to 1048576"),
        // Of one token there is no time between two.
        ("genTokens", options.gen_tokens, 2..=1 << 20, "from 2 to 1048576"),
        ("runs", options.runs, 1..=1000, "from 1 to 1000"),
        ("sequences", options.sequences, 1..=MAX_SEQUENCES, "from 1 to 32"),
    ];
    for (option, value, range, expected) in limits {
        if !range.contains(&value) {
            return Err(Error::InvalidOption { option, found: value.to_string(), expected });
        }
    }
    Ok(())
}

struct Run {
    prefill_tps: f64,
    decode_tps: f64,
    /// Of each token after the first.
    milliseconds: Vec<f64>,
}

fn greedy(max_tokens: usize) -> GenerateOptions {
    GenerateOptions {
        sampler: SamplerOptions { temperature: 0.0, ..SamplerOptions::default() },
        max_tokens,
        ignore_eos: true,
        // Every run reads the same prompt, and all of it.
        reuse: false,
        ..GenerateOptions::default()
    }
}

/// One prompt and its greedy completion, generated as in a page.
async fn run(model: &mut Model, prompt_tokens: usize, gen_tokens: usize, pause: &mut dyn Pause) -> Result<Run> {
    let options = greedy(gen_tokens);
    let prompt = Prompt::Tokens(some_tokens(prompt_tokens, model.info().vocab_size));
    let mut generation = Generation::new(model, &prompt, options)?;
    let mut run = Run { prefill_tps: 0.0, decode_tps: 0.0, milliseconds: Vec::new() };
    let mut first = true;
    loop {
        pause.pause().await?;
        let start = Instant::now();
        let Some(event) = generation.next(model).await? else { break };
        match event {
            Event::Token { .. } => {
                run.milliseconds.extend((!first).then(|| 1e3 * start.elapsed().as_secs_f64()));
                first = false;
            }
            Event::End { prefill_tps, decode_tps, .. } => (run.prefill_tps, run.decode_tps) = (prefill_tps, decode_tps),
            Event::Prefill { .. } => {}
        }
    }
    Ok(run)
}

/// Tokens a second of all sequences together, from where each has its first token.
async fn run_batch(model: &mut Model, sequences: usize, gen_tokens: usize, pause: &mut dyn Pause) -> Result<f64> {
    let vocab_size = model.info().vocab_size;
    // Prompts that differ, so that the sequences do.
    let prompt = |sequence| Prompt::Tokens(vec![(sequence % vocab_size) as u32]);
    let prompts: Vec<_> = (0..sequences).map(prompt).collect();
    let mut generation = Generation::batch(model, &prompts, &greedy(gen_tokens), sequences)?;
    let (mut given, mut seconds) = (0, 0.0);
    loop {
        pause.pause().await?;
        let start = Instant::now();
        let Some(event) = generation.next(model).await? else { break };
        given += usize::from(matches!(event, Event::Token { .. }));
        // The prompts are read, and a first token given out of each, before the first step of all.
        if given > sequences {
            seconds += start.elapsed().as_secs_f64();
        }
    }
    Ok((given - sequences) as f64 / seconds)
}

#[cfg(test)]
mod tests {
    use super::{Figure, median};

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&mut []), 0.0);
        assert_eq!(Figure::of(vec![5.0, 1.0, 3.0]), Figure { median: 3.0, lowest: 1.0, highest: 5.0 });
    }
}
