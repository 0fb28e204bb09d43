//! The native tool: the same library as in the page, for developers, tests and benchmarks.

mod bench;
mod convert_state;
mod failure;
mod generate;
mod inspect;
mod make_random;
mod open;
mod perplexity;
mod pre_read;
mod profile;
mod state_file;
mod tokenize;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde::Serialize;

use crate::failure::Failure;

/// Runs language models from GGUF files, on a GPU or on the CPU.
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
    /// Generate a completion and print it token by token.
    Generate(generate::Generate),
    /// Measure how well a model predicts a text.
    Perplexity(perplexity::Perplexity),
    /// Read a text once and write the state after it, for pages and for `generate --state`.
    PreRead(pre_read::PreRead),
    /// Make a state file of a state that was tuned for a model by another program.
    ConvertState(convert_state::ConvertState),
    /// Time prefill and decode.
    Bench(bench::Bench),
    /// Show the time of each kernel of a token on a GPU.
    Profile(profile::Profile),
    /// Run CPU and GPU step by step and name the first buffer that differs.
    Compare(bench::Compare),
    /// Write a model with random weights, of real sizes and types, to measure without real ones.
    MakeRandom(make_random::MakeRandom),
}

fn main() -> ExitCode {
    let result: Result<(), Failure> = match Arguments::parse().command {
        Command::Inspect(command) => command.run().map_err(Failure::from),
        Command::Tokenize(command) => command.run().map_err(Failure::from),
        Command::Logits(command) => command.run().map_err(Failure::from),
        Command::Generate(command) => command.run().map_err(Failure::from),
        Command::Perplexity(command) => command.run().map_err(Failure::from),
        Command::PreRead(command) => command.run(),
        Command::ConvertState(command) => command.run(),
        Command::Bench(command) => command.run().map_err(Failure::from),
        Command::Profile(command) => command.run().map_err(Failure::from),
        Command::Compare(command) => command.run().map_err(Failure::from),
        Command::MakeRandom(command) => command.run(),
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
fn print(json: bool, value: &impl Serialize, plain: impl FnOnce() -> String) -> web_mamba::Result<()> {
    let text = match json {
        true => serde_json::to_string(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}")),
        false => plain(),
    };
    print_text(&format!("{}\n", text.trim_end()));
    Ok(())
}

/// Writes text and flushes it. A reader that has closed the pipe, such as `head`, is no error.
fn print_text(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
