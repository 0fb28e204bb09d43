//! A conversation in a terminal, a line a turn; `<think>` opens a thought of the model.
//!
//! `cargo run --release --example chat -- MODEL.gguf`

use std::io::{Write, stdin, stdout};
use std::path::Path;
use std::rc::Rc;

use web_mamba::{ChatMessage, Event, FileSource, GenerateOptions, Generation, LoadOptions, Model, Prompt, Result};

fn main() -> std::process::ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: chat MODEL.gguf");
        return 2.into();
    };
    match pollster::block_on(chat(Path::new(&path))) {
        Ok(()) => 0.into(),
        Err(error) => {
            eprintln!("{error}. {}", error.remedy());
            1.into()
        }
    }
}

async fn chat(path: &Path) -> Result<()> {
    let file = Rc::new(FileSource::open(path)?);
    let mut model = Model::load(vec![file], &LoadOptions::default(), &mut |_done, _total| {}).await?;
    let mut messages = Vec::new();
    for line in stdin().lines().map_while(std::io::Result::ok) {
        messages.push(ChatMessage::new("user", line));
        // The state of what was read before is still there: only the new turn is read.
        let answer = answer(&mut model, &messages).await?;
        messages.push(ChatMessage::new("assistant", answer));
    }
    Ok(())
}

async fn answer(model: &mut Model, messages: &[ChatMessage]) -> Result<String> {
    let mut generation = Generation::new(model, &Prompt::Chat(messages.to_vec()), GenerateOptions::default())?;
    let mut answer = String::new();
    while let Some(event) = generation.next(model).await? {
        if let Event::Token { text, .. } | Event::End { text, .. } = event {
            print!("{text}");
            // A terminal that has gone away is no reason to lose the conversation.
            let _ = stdout().flush();
            answer += &text;
        }
    }
    println!();
    Ok(answer)
}
