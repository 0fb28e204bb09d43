//! Completions of several texts at once: decoding a token of each reads the weights once.
//!
//! `cargo run --release --example batch -- MODEL.gguf "One day" "The cat" "It was"`

use std::path::Path;
use std::rc::Rc;

use web_mamba::{Event, FileSource, GenerateOptions, Generation, LoadOptions, Model, Prompt, Result};

/// Texts that are continued at once; further ones wait.
const SEQUENCES: usize = 8;

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, texts @ ..] = &arguments[..] else {
        eprintln!("usage: batch MODEL.gguf TEXT ...");
        return 2.into();
    };
    match pollster::block_on(run(Path::new(path), texts)) {
        Ok(()) => 0.into(),
        Err(error) => {
            eprintln!("{error}. {}", error.remedy());
            1.into()
        }
    }
}

async fn run(path: &Path, texts: &[String]) -> Result<()> {
    let file = Rc::new(FileSource::open(path)?);
    let mut model = Model::load(vec![file], &LoadOptions::default(), &mut |_done, _total| {}).await?;
    let prompts: Vec<_> = texts.iter().cloned().map(Prompt::Text).collect();
    let options = GenerateOptions { max_tokens: 40, ..GenerateOptions::default() };
    let mut generation = Generation::batch(&model, &prompts, &options, SEQUENCES)?;
    let mut completions = vec![String::new(); texts.len()];
    while let Some(event) = generation.next_indexed(&mut model).await? {
        if let Event::Token { text, .. } | Event::End { text, .. } = event.event {
            completions[event.index] += &text;
        }
    }
    for (text, completion) in texts.iter().zip(completions) {
        println!("{text}{completion}\n");
    }
    Ok(())
}
