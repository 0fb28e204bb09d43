//! How fast answers by a JSON schema are beside free ones: `cargo run --release -p web-mamba-grammar --example speed -- MODEL.gguf`.
//!
//! The two kinds take turns, so that both have the machine's same company; the figures are medians over the turns. A model with random weights
//! serves as well as another: its vocabulary spells every text.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use pollster::block_on;
use serde_json::json;
use web_mamba::{
    Allowed, BackendChoice, ByteSource, Constraint, Error, Event, FileSource, GenerateOptions, Generation, LoadOptions,
    Model, Prompt, Result, SamplerOptions, StopReason, TokenMask,
};
use web_mamba_grammar::{Form, Grammars, Mask, TokenMatcher, Vocabulary};

#[derive(Parser)]
struct Arguments {
    /// A GGUF file.
    model: PathBuf,
    /// Where it runs.
    #[arg(long, value_enum, default_value = "gpu")]
    backend: Backend,
    /// A JSON schema of long answers; without it, an object with a title and 64 objects of a name and a number.
    #[arg(long)]
    schema: Option<PathBuf>,
    /// Tokens of each answer.
    #[arg(long, default_value_t = 200)]
    tokens: usize,
    /// Turns of both.
    #[arg(long, default_value_t = 7)]
    turns: u64,
    /// Answers at once.
    #[arg(long, default_value_t = 1)]
    sequences: usize,
    /// Threads of the CPU.
    #[arg(long)]
    threads: Option<usize>,
    /// Sample with the default filters instead of at temperature 1 without any.
    #[arg(long)]
    filtered: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Backend {
    Gpu,
    Cpu,
}

/// A matcher, and what it is asked.
struct Timed {
    matcher: TokenMatcher,
    asked: Rc<RefCell<Asked>>,
}

#[derive(Default)]
struct Asked {
    times: Vec<Duration>,
    /// How often one token alone was allowed.
    forced: usize,
}

impl Constraint for Timed {
    fn allowed(&mut self) -> Result<Allowed> {
        let start = Instant::now();
        let Mask { words, may_end } = self.matcher.allowed().map_err(|problem| Error::Grammar { problem })?;
        let mut asked = self.asked.borrow_mut();
        asked.times.push(start.elapsed());
        let allowed = Allowed { tokens: TokenMask::new(words), may_end };
        asked.forced += usize::from(!may_end && allowed.tokens.iter().nth(1).is_none());
        Ok(allowed)
    }

    fn take(&mut self, token: u32) -> Result<()> {
        self.matcher.take(token).map_err(|problem| Error::Grammar { problem })
    }
}

/// Long enough that no answer ends before its tokens are full.
fn list() -> String {
    let entry = json!({
        "type": "object", "additionalProperties": false, "required": ["name", "count"],
        "properties": { "name": { "type": "string", "maxLength": 24 }, "count": { "type": "integer", "minimum": 0, "maximum": 1000 } },
    });
    json!({
        "type": "object", "additionalProperties": false, "required": ["title", "entries"],
        "properties": { "title": { "type": "string", "maxLength": 40 }, "entries": { "type": "array", "items": entry, "minItems": 64, "maxItems": 64 } },
    })
    .to_string()
}

struct Speed {
    /// Tokens a second of all sequences, from where each has its first token.
    tps: f64,
    stop: StopReason,
}

fn speed(arguments: &Arguments, model: &mut Model, constraint: Option<&Timed>, seed: u64) -> Result<Speed> {
    let hot = SamplerOptions { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0, ..Default::default() };
    let sampler = if arguments.filtered { SamplerOptions::default() } else { hot };
    let sampler = SamplerOptions { seed: Some(seed), ..sampler };
    let ignore_eos = constraint.is_none();
    let options =
        GenerateOptions { sampler, max_tokens: arguments.tokens, ignore_eos, reuse: false, ..Default::default() };
    let prompts = vec![Prompt::Text("List them as JSON:".into()); arguments.sequences];
    let mut generation = Generation::batch(model, &prompts, &options, arguments.sequences)?;
    for index in 0..arguments.sequences {
        if let Some(Timed { matcher, asked }) = constraint {
            let own = Timed { matcher: matcher.clone(), asked: Rc::clone(asked) };
            generation.constrain(model, index, Box::new(own), 0)?;
        }
    }
    let (mut given, mut start, mut stop) = (0, Instant::now(), StopReason::Eos);
    let mut last = start;
    while let Some(event) = block_on(generation.next(model))? {
        match event {
            Event::Token { .. } => {
                given += 1;
                last = Instant::now();
                if given == arguments.sequences {
                    start = last;
                }
            }
            Event::End { stop: why, .. } => stop = why,
            Event::Prefill { .. } => {}
        }
    }
    Ok(Speed { tps: (given - arguments.sequences) as f64 / (last - start).as_secs_f64(), stop })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let source: Rc<dyn ByteSource> = Rc::new(FileSource::open(&arguments.model)?);
    let backend = match arguments.backend {
        Backend::Gpu => BackendChoice::WebGpu,
        Backend::Cpu => BackendChoice::Cpu,
    };
    let options = LoadOptions { backend, threads: arguments.threads, ..Default::default() };
    let mut model = block_on(Model::load(vec![source], &options, &mut |_, _| {}))?;
    let info = model.info();
    println!(
        "{} ({} tokens) on {} ({}), {} bytes a token",
        info.name, info.vocab_size, info.backend, info.adapter, info.bytes_per_token
    );

    let schema = arguments
        .schema
        .as_ref()
        .map_or_else(list, |path| std::fs::read_to_string(path).expect("the schema can be read"));
    let start = Instant::now();
    let table = model.tokenizer()?.token_table();
    let problem = |problem| Error::Grammar { problem };
    let grammars = Vocabulary::from_table(&table).and_then(|vocabulary| Grammars::new(&vocabulary)).map_err(problem)?;
    let vocabulary_time = start.elapsed();
    let start = Instant::now();
    let matcher = grammars.matcher(Form::JsonSchema(&schema)).map_err(problem)?;
    println!("start over the vocabulary {vocabulary_time:.1?}, compiling the schema {:.1?}", start.elapsed());
    let timed = Timed { matcher, asked: Rc::default() };

    // Pipelines, threads and clocks are warm after one turn of each.
    speed(&arguments, &mut model, None, 0)?;
    speed(&arguments, &mut model, Some(&timed), 0)?;
    timed.asked.take();
    let (mut free, mut formed, mut ratios, mut short) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for seed in 1..=arguments.turns {
        // Which comes first alternates too.
        let formed_first = seed % 2 == 0;
        let mut by_schema = formed_first.then(|| speed(&arguments, &mut model, Some(&timed), seed)).transpose()?;
        let one = speed(&arguments, &mut model, None, seed)?;
        if by_schema.is_none() {
            by_schema = Some(speed(&arguments, &mut model, Some(&timed), seed)?);
        }
        let Some(by_schema) = by_schema else { unreachable!("one of both turns was taken") };
        short += usize::from(by_schema.stop != StopReason::Length);
        ratios.push(by_schema.tps / one.tps);
        free.push(one.tps);
        formed.push(by_schema.tps);
    }
    let asked = timed.asked.take();
    let mut times = asked.times;
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!(
        "{} turns of {} x {} tokens; {short} answers by the schema ended before",
        arguments.turns, arguments.sequences, arguments.tokens
    );
    println!("free          {:8.1} tokens/s", median(free));
    println!("by the schema {:8.1} tokens/s", median(formed));
    println!("ratio         {:8.3} (median of the turns' own)", median(ratios));
    println!(
        "mask          {:?} at the median, {:?} at the 99th percentile, of {}; {} allowed one token alone",
        at(50),
        at(99),
        times.len(),
        asked.forced
    );
    Ok(())
}
