//! `web-mamba logits` and `web-mamba generate`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;
use web_mamba::Result;
use web_mamba::engine::{LoadOptions, Model};
use web_mamba::generate::{Event, GenerateOptions, Generation, Prompt};
use web_mamba::sampler::SamplerOptions;
use web_mamba::snapshot::Snapshot;
use web_mamba::tokenizer::{ChatMessage, Thinking};

use crate::open::{ModelArguments, read_template};
use crate::state_file::{OrderArgument, read_state};
use crate::{print, print_text};

#[derive(Debug, Args)]
pub struct Logits {
    #[command(flatten)]
    model: ModelArguments,
    /// Token ids, separated by commas.
    #[arg(long, value_delimiter = ',', required = true)]
    tokens: Vec<u32>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Logits {
    pub fn run(&self) -> Result<()> {
        let mut model = self.model.load()?;
        let logits = pollster::block_on(model.logits(&self.tokens))?;
        let plain = || logits.iter().map(f32::to_string).collect::<Vec<_>>().join("\n");
        print(self.json, &json!({ "logits": logits }), plain)
    }
}

#[derive(Debug, Args)]
pub struct Generate {
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    prompt: PromptArguments,
    /// Continue from a saved state: a chat after its conversation, a text or tokens after what was read. Or begin from a state that was
    /// tuned for this model: .pth, .safetensors, .st or .state.
    #[arg(long)]
    state: Option<PathBuf>,
    /// The order of the last two axes in a tuned state. By default as its name says: .st and .state are key by value, others value by key.
    #[arg(long, value_enum, requires = "state")]
    state_order: Option<OrderArgument>,
    /// A system message before the chat.
    #[arg(long, requires = "chat")]
    system: Option<String>,
    /// A file with the chat template to use in place of the model's: Jinja, or `rwkv-world`.
    #[arg(long, requires = "chat")]
    chat_template: Option<PathBuf>,
    #[command(flatten)]
    sampling: Sampling,
    /// The most tokens of the completion.
    #[arg(long, default_value_t = GenerateOptions::default().max_tokens)]
    max_tokens: usize,
    /// A text that ends the completion; may be repeated.
    #[arg(long)]
    stop: Vec<String>,
    /// Token ids that end the completion, separated by commas.
    #[arg(long, value_delimiter = ',')]
    stop_tokens: Vec<u32>,
    /// Continue past the model's own end tokens.
    #[arg(long)]
    ignore_eos: bool,
    /// Whether the model thinks before it answers a chat: `on`, `off`, `skip` (with an empty thought, for models that would), or
    /// `auto`, as the file says.
    #[arg(long, value_enum, default_value_t, requires = "chat")]
    thinking: ThinkingArgument,
    /// Print one JSON object at the end instead of streaming the text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct PromptArguments {
    /// Text as it stands.
    #[arg(long, allow_hyphen_values = true)]
    prompt: Option<String>,
    /// A user's message, put into the model's chat template.
    #[arg(long, allow_hyphen_values = true)]
    chat: Option<String>,
    /// Token ids, separated by commas.
    #[arg(long, value_delimiter = ',')]
    tokens: Option<Vec<u32>>,
}

#[derive(Debug, Args)]
struct Sampling {
    /// Always take the likeliest token.
    #[arg(long)]
    greedy: bool,
    /// 0 is greedy, higher is freer.
    #[arg(long, default_value_t = SamplerOptions::default().temperature)]
    temperature: f32,
    /// Keep this many of the likeliest tokens; 0 keeps all.
    #[arg(long, default_value_t = SamplerOptions::default().top_k)]
    top_k: usize,
    /// Keep the likeliest tokens up to this total probability.
    #[arg(long, default_value_t = SamplerOptions::default().top_p)]
    top_p: f32,
    /// Keep tokens at least this likely, relative to the likeliest.
    #[arg(long, default_value_t = SamplerOptions::default().min_p)]
    min_p: f32,
    /// Divides the logits of recent tokens.
    #[arg(long, default_value_t = SamplerOptions::default().repetition_penalty)]
    repetition_penalty: f32,
    /// Subtracted from a token's logit for each time it is among the recent ones.
    #[arg(long, default_value_t = SamplerOptions::default().frequency_penalty, allow_hyphen_values = true)]
    frequency_penalty: f32,
    /// Subtracted once from the logits of recent tokens.
    #[arg(long, default_value_t = SamplerOptions::default().presence_penalty, allow_hyphen_values = true)]
    presence_penalty: f32,
    /// How many tokens are recent.
    #[arg(long, default_value_t = SamplerOptions::default().penalty_last_n)]
    penalty_last_n: usize,
    /// The same seed gives the same completion. By default a random one, which `--json` reports.
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum ThinkingArgument {
    #[default]
    Auto,
    On,
    Off,
    Skip,
}

impl From<ThinkingArgument> for Thinking {
    fn from(argument: ThinkingArgument) -> Self {
        match argument {
            ThinkingArgument::Auto => Self::Auto,
            ThinkingArgument::On => Self::On,
            ThinkingArgument::Off => Self::Off,
            ThinkingArgument::Skip => Self::Skip,
        }
    }
}

impl Sampling {
    fn options(&self) -> SamplerOptions {
        SamplerOptions {
            temperature: if self.greedy { 0.0 } else { self.temperature },
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            penalty_last_n: self.penalty_last_n,
            logit_bias: Vec::new(),
            seed: self.seed,
        }
    }
}

impl Generate {
    pub fn run(&self) -> Result<()> {
        let chat_template = read_template(self.chat_template.as_deref())?;
        let mut model = self.model.load_with(&LoadOptions { chat_template, ..self.model.options() })?;
        let state = self.state.as_deref().map(|path| self.restore(&mut model, path)).transpose()?;
        let options = GenerateOptions {
            // A chat finds the state by the tokens that it begins with.
            resume: state.as_ref().is_some_and(|state| state.position() > 0) && self.prompt.chat.is_none(),
            sampler: self.sampling.options(),
            max_tokens: self.max_tokens,
            stop: self.stop.clone(),
            stop_tokens: self.stop_tokens.clone(),
            ignore_eos: self.ignore_eos,
            thinking: self.thinking.into(),
            ..GenerateOptions::default()
        };
        let generation = Generation::new(&model, &self.prompt(state), options)?;
        pollster::block_on(self.stream(&mut model, generation))
    }

    fn restore(&self, model: &mut Model, path: &Path) -> Result<Snapshot> {
        let order = self.state_order.map(Into::into);
        let (snapshot, order) = model.open_state(&read_state(path)?, &path.to_string_lossy(), order)?;
        if let Some(order) = order {
            // The answer alone goes to the output.
            eprintln!("web-mamba: {} is a tuned state, read as: {}", path.display(), order.describe());
        }
        pollster::block_on(model.restore_state(&snapshot))?;
        Ok(snapshot)
    }

    fn prompt(&self, state: Option<Snapshot>) -> Prompt {
        if let Some(tokens) = &self.prompt.tokens {
            return Prompt::Tokens(tokens.clone());
        }
        if let Some(text) = &self.prompt.prompt {
            return Prompt::Text(text.clone());
        }
        let message = |role: &str, content: &String| ChatMessage::new(role, content);
        let system = self.system.iter().map(|content| message("system", content));
        let user = self.prompt.chat.iter().map(|content| message("user", content));
        let before = state.map(|state| state.messages).unwrap_or_default();
        Prompt::Chat(before.into_iter().chain(system).chain(user).collect())
    }

    async fn stream(&self, model: &mut Model, mut generation: Generation) -> Result<()> {
        let (mut ids, mut completion) = (Vec::new(), String::new());
        let print_piece = |completion: &mut String, piece: &str| {
            *completion += piece;
            if !self.json {
                print_text(piece);
            }
        };
        while let Some(event) = generation.next(model).await? {
            match event {
                Event::Prefill { .. } => {}
                Event::Token { id, text, .. } => {
                    ids.push(id);
                    print_piece(&mut completion, &text);
                }
                Event::End { text, stop, prompt_tokens, prefilled_tokens, tokens, seed, prefill_tps, decode_tps } => {
                    print_piece(&mut completion, &text);
                    let summary = json!({
                        "ids": ids, "text": completion, "stop": stop, "prompt_tokens": prompt_tokens,
                        "prefilled_tokens": prefilled_tokens, "tokens": tokens, "seed": seed, "prefill_tps": prefill_tps, "decode_tps": decode_tps,
                        "backend": model.info().backend, "adapter": model.info().adapter,
                    });
                    print(self.json, &summary, String::new)?;
                }
            }
        }
        Ok(())
    }
}
