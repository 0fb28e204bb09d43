//! The examples of `crate/examples`, run as a user runs them.
#![cfg(feature = "cli")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/public/models/web-mamba-demo-31m-v2-q4_k_m.gguf");

/// Builds the examples as `cargo test` of the workspace has built them already: anything else would compile the crate once more.
fn built() -> PathBuf {
    let build = ["build", "-q", "--workspace", "--features", "cli", "--examples"];
    assert!(Command::new(env!("CARGO")).args(build).status().unwrap().success());
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples")
}

fn run(name: &str, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(built().join(name));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // One that ends at once reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn printed(name: &str, arguments: &[&str], input: &str) -> String {
    let output = run(name, arguments, input);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn chat_answers_each_line() {
    let printed = printed("chat", &[DEMO], "Hello!\nTell me a story about a cat.\n");
    assert!(printed.lines().filter(|line| !line.is_empty()).count() >= 2, "{printed}");
}

#[test]
fn a_state_is_continued_in_two_ways() {
    let text = "Once upon a time";
    let printed = printed("state", &[DEMO, text], "");
    let continued: Vec<_> = printed.split(text).skip(1).collect();
    assert_eq!(continued.len(), 2, "{printed}");
    assert!(continued[0].trim() != continued[1].trim() && !continued[0].trim().is_empty(), "{printed}");
}

#[test]
fn a_batch_completes_every_text() {
    let texts = ["One day", "The little cat", "It was raining"];
    let printed = printed("batch", &[&[DEMO], &texts[..]].concat(), "");
    for text in texts {
        let (_, after) = printed.split_once(text).unwrap();
        assert!(after.trim_start_matches('.').len() > 10, "{printed}");
    }
}

#[test]
fn what_goes_wrong_is_said_with_a_remedy() {
    for name in ["chat", "state", "batch"] {
        assert_eq!(run(name, &[], "").status.code(), Some(2), "{name}");
        let output = run(name, &["missing.gguf", "A text"], "");
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("missing.gguf"), "{name}");
    }
}
