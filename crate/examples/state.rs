//! A text is read once; its state, as the bytes of a file, is continued in two ways by a model that has not read the text.
//!
//! `cargo run --release --example state -- MODEL.gguf "Once upon a time"`

use std::path::Path;
use std::rc::Rc;

use web_mamba::{
    Event, FileSource, GenerateOptions, Generation, LoadOptions, Model, Numbers, Prompt, Result, SamplerOptions,
    Snapshot,
};

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, text] = &arguments[..] else {
        eprintln!("usage: state MODEL.gguf TEXT");
        return 2.into();
    };
    match pollster::block_on(run(Path::new(path), text)) {
        Ok(()) => 0.into(),
        Err(error) => {
            eprintln!("{error}. {}", error.remedy());
            1.into()
        }
    }
}

async fn run(path: &Path, text: &str) -> Result<()> {
    let bytes = read(&mut load(path).await?, text).await?;
    println!("the state of the text: {} bytes", bytes.len());

    let mut model = load(path).await?;
    let state = Snapshot::from_bytes(&bytes)?;
    for seed in [1, 2] {
        model.restore_state(&state).await?;
        println!("{text}{}", continuation(&mut model, seed).await?);
    }
    Ok(())
}

async fn load(path: &Path) -> Result<Model> {
    Model::load(vec![Rc::new(FileSource::open(path)?)], &LoadOptions::default(), &mut |_done, _total| {}).await
}

/// The state of a model that has read a text, as the bytes of a file.
async fn read(model: &mut Model, text: &str) -> Result<Vec<u8>> {
    let tokens = Prompt::Text(text.into()).tokens(model)?;
    model.logits(&tokens).await?;
    model.save_state().await?.to_bytes(Numbers::F16)
}

async fn continuation(model: &mut Model, seed: u64) -> Result<String> {
    let sampler = SamplerOptions { seed: Some(seed), ..SamplerOptions::default() };
    let options = GenerateOptions { sampler, max_tokens: 40, resume: true, ..GenerateOptions::default() };
    // Nothing more is read.
    let mut generation = Generation::new(model, &Prompt::Tokens(Vec::new()), options)?;
    let mut written = String::new();
    while let Some(event) = generation.next(model).await? {
        if let Event::Token { text, .. } | Event::End { text, .. } = event {
            written += &text;
        }
    }
    Ok(written)
}
