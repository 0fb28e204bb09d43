//! The native tool: the same library as in the page, for developers, tests and benchmarks.

mod bench;
mod generate;
mod inspect;
mod open;
mod perplexity;
mod tokenize;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde::Serialize;
use web_mamba::Result;

/// Runs Mamba and Falcon-Mamba language models from GGUF files, on a GPU or on the CPU.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show a file's metadata, tensors, sizes and the memory it needs.
    Inspect(inspect::Inspect),
    /// Turn text into token ids.
    Tokenize(tokenize::Tokenize),
    /// Print the logits after the last of some tokens.
    Logits(generate::Logits),
    /// Write an answer, word by word.
    Generate(generate::Generate),
    /// Measure how well a model predicts a text.
    Perplexity(perplexity::Perplexity),
    /// Time prefill and decode.
    Bench(bench::Bench),
    /// Run CPU and GPU step by step and name the first buffer that differs.
    Compare(bench::Compare),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Inspect(command) => command.run(),
        Command::Tokenize(command) => command.run(),
        Command::Logits(command) => command.run(),
        Command::Generate(command) => command.run(),
        Command::Perplexity(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Compare(command) => command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("web-mamba: {error}. {}", error.remedy());
            ExitCode::from(2)
        }
    }
}

/// Prints one JSON object, or what `plain` writes.
fn print(json: bool, value: &impl Serialize, plain: impl FnOnce() -> String) -> Result<()> {
    let text = match json {
        true => serde_json::to_string(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}")),
        false => plain(),
    };
    print_text(&format!("{}\n", text.trim_end()));
    Ok(())
}

/// Writes text out at once. A reader that went away, such as `head`, is no error of ours.
fn print_text(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
