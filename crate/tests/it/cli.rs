//! The native tool, run as a user runs it.
#![cfg(feature = "cli")]

use std::path::Path;
use std::process::{Command, Output};

use crate::support::golden::{self, argmax, max_difference};
use serde_json::Value;

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/public/models/web-mamba-demo-31m-v2-q4_k_m.gguf");

fn tool(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_web-mamba")).args(arguments).output().unwrap()
}

fn json(arguments: &[&str]) -> Value {
    let output = tool(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "one JSON object: {text}");
    serde_json::from_str(&text).unwrap()
}

fn model(name: &str) -> String {
    golden::folder().join("models").join(name).display().to_string()
}

fn ids(value: &Value) -> Vec<u32> {
    value["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

#[test]
fn logits_are_the_golden_ones_on_both_backends() {
    let golden = golden::all().into_iter().find(|g| g.file == "falcon-tiny-Q6_K.gguf").unwrap();
    let case = &golden.cases[1];
    let tokens = case.ids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let (_, expected) = case.hf.logits().into_iter().find(|(position, _)| *position == case.ids.len() - 1).unwrap();
    for backend in ["cpu", "gpu"] {
        let value = json(&[
            "logits",
            &model(&golden.file),
            "--tokens",
            &tokens,
            "--backend",
            backend,
            "--activations",
            "f32",
            "--json",
        ]);
        let logits: Vec<f32> = value["logits"].as_array().unwrap().iter().map(|l| l.as_f64().unwrap() as f32).collect();
        assert!(max_difference(&logits, &expected) <= golden::TOLERANCE, "{backend}");
        assert_eq!(argmax(&logits), case.hf.greedy64[0]);
    }
}

#[test]
fn generate_gives_ids_text_stop_and_speed() {
    let golden = golden::all().into_iter().find(|g| g.file == "mamba-tiny-Q8_0.gguf").unwrap();
    let case = &golden.cases[0];
    let file = model(&golden.file);
    let by_text = json(&[
        "generate",
        &file,
        "--prompt",
        &case.prompt,
        "--greedy",
        "--max-tokens",
        "64",
        "--backend",
        "cpu",
        "--activations",
        "f32",
        "--json",
    ]);
    assert_eq!(ids(&by_text), case.hf.greedy64);
    assert_eq!(by_text["stop"], "length");
    assert!(by_text["prefill_tps"].as_f64().unwrap() > 0.0 && by_text["decode_tps"].as_f64().unwrap() > 0.0);
    let tokens = case.ids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let by_ids =
        json(&["generate", &file, "--tokens", &tokens, "--greedy", "--max-tokens", "64", "--backend", "gpu", "--json"]);
    assert_eq!(by_ids["ids"], by_text["ids"]);
    assert_eq!(by_ids["text"], by_text["text"]);
}

#[test]
fn chat_streams_plain_text() {
    let output = tool(&["generate", DEMO, "--chat", "How do I make a cup of tea?", "--greedy", "--backend", "cpu"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("water") && text.ends_with('\n'), "{text}");
}

#[test]
fn a_chat_template_of_ones_own_is_used_in_place_of_the_models() {
    let template = std::env::temp_dir().join(format!("own-{}.jinja", std::process::id()));
    let ask = |source: &str| {
        std::fs::write(&template, source).unwrap();
        let file = template.to_str().unwrap();
        tool(&[
            "generate",
            DEMO,
            "--chat",
            "Hi",
            "--chat-template",
            file,
            "--max-tokens",
            "1",
            "--greedy",
            "--backend",
            "cpu",
            "--json",
        ])
    };
    let output = ask("{{ messages[0].content }}");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let plain = json(&["tokenize", DEMO, "--text", "Hi", "--json"]);
    assert_eq!(answer["prompt_tokens"], plain["ids"].as_array().unwrap().len());
    let refused = ask("{{ messages[0].content | shout }}");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no filter named `shout` (line 1)"));
    std::fs::remove_file(&template).unwrap();
}

/// Without a seed completions differ, and `--json` reports the seed that gives the same one again.
#[test]
fn json_reports_the_seed() {
    let sampled = [
        "--prompt",
        "Once",
        "--temperature",
        "1.5",
        "--top-k",
        "0",
        "--max-tokens",
        "12",
        "--ignore-eos",
        "--backend",
        "cpu",
        "--json",
    ];
    let ask = |seed: &[&str]| json(&[&["generate", DEMO], &sampled[..], seed].concat());
    let (one, other) = (ask(&[]), ask(&[]));
    assert_ne!(one["ids"], other["ids"]);
    let seed = one["seed"].as_u64().unwrap().to_string();
    let again = ask(&["--seed", &seed]);
    assert_eq!((&again["ids"], &again["seed"]), (&one["ids"], &one["seed"]));
}

#[test]
fn tokenize_needs_no_tensors() {
    let vocabulary = golden::folder().join("vocab/ggml-vocab-falcon.gguf").display().to_string();
    let value = json(&["tokenize", &vocabulary, "--text", "Hello world", "--json"]);
    assert_eq!(ids(&value), [9856, 1079]);
    let file = std::env::temp_dir().join(format!("web-mamba-cli-{}.txt", std::process::id()));
    std::fs::write(&file, "Hello world").unwrap();
    let from_file = json(&["tokenize", &vocabulary, "--text-file", file.to_str().unwrap(), "--json"]);
    std::fs::remove_file(file).unwrap();
    assert_eq!(from_file, value);
}

#[test]
fn inspect_shows_metadata_tensors_and_memory() {
    let value = json(&["inspect", &model("falcon-tiny-Q4_K_M.gguf"), "--json"]);
    assert_eq!(value["metadata"]["general.architecture"], "mamba");
    assert_eq!(value["model"]["layers"], 2);
    assert_eq!(value["tensors"].as_array().unwrap().len(), 3 + 2 * 10);
    let memory = &value["model"]["memory"];
    let sum: u64 = ["weights", "state", "scratch"].iter().map(|part| memory[part].as_u64().unwrap()).sum();
    assert_eq!(memory["total"].as_u64().unwrap(), sum);
    // One state, and those that are kept to undo steps that ran ahead.
    assert_eq!(memory["state"].as_u64().unwrap() % (2 * 512 * (16 + 3) * 4), 0);
    let plain = tool(&["inspect", &model("falcon-tiny-Q4_K_M.gguf")]);
    assert!(String::from_utf8(plain.stdout).unwrap().contains("blk.0.ssm_in.weight"));
}

/// What the engine does not use is reported and prevents nothing.
#[test]
fn inspect_notes_what_is_not_used() {
    let whole = json(&["inspect", &model("falcon-tiny-Q4_K_M.gguf"), "--json"]);
    assert_eq!(whole["notes"], serde_json::json!([]));
    // The padding id of the file, made -1 where it stands: key, then type 4 (u32), then the value.
    let key = b"tokenizer.ggml.padding_token_id\x04\0\0\0";
    let mut bytes = std::fs::read(model("falcon-tiny-Q4_K_M.gguf")).unwrap();
    let at =
        bytes.windows(key.len()).position(|window| window == key).expect("the file names a padding token") + key.len();
    bytes[at..at + 4].fill(0xFF);
    let file = std::env::temp_dir().join(format!("web-mamba-notes-{}.gguf", std::process::id()));
    std::fs::write(&file, bytes).unwrap();
    let path = file.to_str().unwrap();
    let value = json(&["inspect", path, "--json"]);
    let plain = tool(&["inspect", path]);
    let answer = tool(&["generate", path, "--prompt", "a", "--max-tokens", "1", "--backend", "cpu"]);
    std::fs::remove_file(&file).unwrap();
    let notes = value["notes"].as_array().unwrap();
    assert!(notes.len() == 1 && notes[0].as_str().unwrap().contains("padding_token_id"), "{notes:?}");
    assert!(String::from_utf8(plain.stdout).unwrap().contains("\nnotes\n  `tokenizer.ggml.padding_token_id`"));
    assert_eq!(answer.status.code(), Some(0), "{}", String::from_utf8_lossy(&answer.stderr));
}

#[test]
fn inspect_says_whether_the_model_fits_this_device() {
    let file = model("falcon-tiny-Q4_K_M.gguf");
    let fit = |options: &[&str]| json(&[&["inspect", &file, "--json"], options].concat())["fit"].take();
    let gpu = fit(&["--backend", "gpu"]);
    assert_eq!(gpu["fits"], true);
    assert!(gpu["device"]["maxBinding"].as_u64().unwrap() >= gpu["needs"]["largestBinding"].as_u64().unwrap());
    let refused = fit(&["--backend", "gpu", "--max-binding-bytes", "4096"]);
    assert_eq!((refused["fits"].as_bool(), refused["problem"]["available"].as_u64()), (Some(false), Some(4096)));
    assert_eq!(refused["problem"]["needed"], refused["needs"]["largestBinding"]);
    // In `auto` the processor takes it, and the reason is kept.
    let cpu = fit(&["--max-binding-bytes", "4096"]);
    assert_eq!((cpu["fits"].as_bool(), cpu["device"]["backend"].as_str()), (Some(true), Some("cpu")));
    assert!(cpu["problem"]["message"].is_string());
}

#[test]
fn perplexity_is_near_what_uniform_guessing_is_not() {
    let file = std::env::temp_dir().join(format!("web-mamba-perplexity-{}.txt", std::process::id()));
    // What the model was taught; it overfits, and a text that is new to it is no better than a guess among hundreds.
    let taught =
        "A rainbow forms when sunlight meets drops of rain. Each drop bends the light and spreads out its colours.";
    std::fs::write(&file, taught).unwrap();
    let path = file.to_str().unwrap();
    let value = json(&["perplexity", DEMO, "--text-file", path, "--backend", "cpu", "--json"]);
    std::fs::remove_file(&file).unwrap();
    let perplexity = value["perplexity"].as_f64().unwrap();
    assert!((1.0..100.0).contains(&perplexity), "{perplexity} of 8192 tokens");
}

#[test]
fn bench_reports_speed_bytes_and_memory() {
    let file = model("mamba-tiny-Q4_0.gguf");
    let value = json(&[
        "bench",
        &file,
        "--prompt-tokens",
        "40",
        "--gen-tokens",
        "5",
        "--position",
        "70",
        "--sequences",
        "3",
        "--runs",
        "2",
        "--backend",
        "cpu",
        "--activations",
        "f32",
        "--json",
    ]);
    for key in
        ["prefill_tps", "decode_tps", "position_decode_tps", "batch_decode_tps", "bytes_per_token", "peak_memory_bytes"]
    {
        assert!(value[key].as_f64().unwrap() > 0.0, "{key} in {value}");
    }
    assert_eq!((value["backend"].as_str(), value["position"].as_u64()), (Some("cpu"), Some(70)));
}

/// The bound of a GPU stands beside the figure.
#[test]
fn bench_compares_with_the_bandwidth_of_the_gpu() {
    let file = model("falcon-tiny-Q4_0.gguf");
    let value = json(&[
        "bench",
        &file,
        "--prompt-tokens",
        "5",
        "--gen-tokens",
        "3",
        "--runs",
        "1",
        "--backend",
        "gpu",
        "--self-test",
        "true",
        "--json",
    ]);
    let number = |key: &str| value[key].as_f64().unwrap_or_else(|| panic!("{key} in {value}"));
    assert!(number("bandwidth_bytes_per_second") > 1e8);
    let bound = number("bandwidth_bytes_per_second") / number("bytes_per_token");
    assert!((number("bound_tps") / bound - 1.0).abs() < 1e-6);
    let percent = 100.0 * number("decode_tps") / bound;
    assert!((number("percent_of_bound") / percent - 1.0).abs() < 1e-6);
    // Two layers of four, the embedding, the first norm and the head.
    assert_eq!(value["dispatches_per_token"], 2 * 4 + 3);
    assert!(number("self_test_milliseconds") > 0.0);
}

#[test]
fn compare_finds_no_difference() {
    let value = json(&["compare", &model("falcon-tiny-Q4_0.gguf"), "--json"]);
    assert_eq!(value["difference"], Value::Null);
    assert_eq!((&value["activations"], &value["not_compared"]), (&"f32".into(), &Value::Null));
}

/// With 8-bit activations it runs the kernels of these, and says what it leaves out. Every step's input in 8 bits is named: the
/// norm's output, the convolution's, the time step's and the scan's.
#[test]
fn compare_says_what_it_does_not_do_in_8_bits() {
    let arguments = ["compare", &model("falcon-tiny-Q4_0.gguf"), "--activations", "q8"];
    let value = json(&[&arguments[..], &["--json"]].concat());
    assert_eq!((&value["difference"], &value["activations"]), (&Value::Null, &"q8".into()));
    let said = value["not_compared"].as_str().unwrap();
    for part in ["`h`, `xi`, `dt_low`, `y`", "is not given the CPU's", "half a quant", "Of `xi` only the f32 values"] {
        assert!(said.contains(part), "no `{part}` in: {said}");
    }
    // So fine a tolerance finds the rounding, where it was asked for 8 bits.
    let value = json(&[&arguments[..], &["--tolerance", "1e-5", "--json"]].concat());
    assert_ne!(value["difference"], Value::Null);
    let output = tool(&arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("CPU and GPU agree") && text.contains(said), "{text}");
}

#[test]
fn errors_are_one_sentence_and_exit_code_2() {
    let not_gguf = golden::folder().join("README.md").display().to_string();
    let tiny = model("mamba-tiny-F32.gguf");
    let cases: [(&[&str], &str); 6] = [
        (&["inspect", "/no/such/file.gguf"], "/no/such/file.gguf"),
        (&["inspect", &not_gguf], "not a GGUF file"),
        (&["logits", &tiny, "--tokens", "9999", "--backend", "cpu"], "outside the vocabulary"),
        (&["generate", &tiny, "--prompt", "", "--backend", "cpu"], "empty"),
        (&["generate", &tiny, "--prompt", "a", "--temperature", "NaN", "--backend", "cpu"], "temperature"),
        (&["generate", &tiny, "--prompt", "a", "--backend", "gpu", "--adapter", "no such"], "no adapter"),
    ];
    for (arguments, expected) in cases {
        let output = tool(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty());
        let line = stderr.lines().last().unwrap();
        assert!(line.starts_with("web-mamba: ") && line.contains(expected), "{line}");
    }
}

/// A set that the `gguf` package split gives the logits of the whole file, whichever part is named.
#[test]
fn a_split_set_is_opened_from_any_part_name() {
    let run = |file: &str| json(&["logits", file, "--tokens", "5,6,7", "--backend", "cpu", "--json"]);
    let whole = run(&model("mamba-tiny-Q4_0.gguf"));
    for part in 1..=3 {
        let file = golden::folder().join(format!("split/mamba-tiny-Q4_0-{part:05}-of-00003.gguf"));
        assert_eq!(run(file.to_str().unwrap()), whole);
    }
}

#[test]
fn a_split_set_with_a_part_missing_names_it() {
    let folder = std::env::temp_dir().join(format!("web-mamba-split-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let first = folder.join("tiny-00001-of-00002.gguf");
    std::fs::copy(Path::new(&model("mamba-tiny-F32.gguf")), &first).unwrap();
    let output = tool(&["inspect", first.to_str().unwrap()]);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("tiny-00002-of-00002.gguf"));
}

/// A text is read once; what is said after it is said as if it had just been read, and reads only itself.
#[test]
fn a_text_that_was_read_before_is_gone_on_from() {
    let folder = std::env::temp_dir().join(format!("web-mamba-pre-read-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    let manual = "You answer in one sentence. The kettle is blue, and its price is 40 euros.";
    std::fs::write(path("manual.txt"), manual).unwrap();
    let exact = ["--backend", "cpu", "--activations", "f32", "--json"];
    let read = |options: &[&str]| {
        let state = path("manual.state");
        tool(&[&["pre-read", DEMO, &path("manual.txt"), "-o", &state], &exact[..], options].concat())
    };
    let written = read(&["--f32"]);
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    let refused = read(&[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--force"));
    let ask = |options: &[&str]| {
        let question = ["--chat", "What is the price?", "--greedy", "--max-tokens", "20"];
        json(&[&["generate", DEMO], options, &question, &exact].concat())
    };
    let state = path("manual.state");
    let (before, again) = (ask(&["--state", &state]), ask(&["--system", manual]));
    assert_eq!(ids(&before), ids(&again));
    assert_eq!(before["prompt_tokens"], again["prompt_tokens"]);
    assert_eq!(again["prefilled_tokens"], again["prompt_tokens"]);
    assert!(before["prefilled_tokens"].as_u64().unwrap() < 20, "{before}");

    // Half the bytes, not packed; the text still comes after what was read.
    assert!(read(&["--force", "--no-gzip"]).status.success());
    let more =
        json(&[&["generate", DEMO, "--state", &state, "--prompt", " It", "--max-tokens", "1"], &exact[..]].concat());
    assert!(more["prefilled_tokens"].as_u64() < more["prompt_tokens"].as_u64());
    let mut bytes = std::fs::read(&state).unwrap();
    bytes[5000] ^= 1;
    std::fs::write(&state, bytes).unwrap();
    let damaged = tool(&["generate", DEMO, "--state", &state, "--prompt", "x"]);
    assert!(String::from_utf8_lossy(&damaged.stderr).contains("checksum"));
    std::fs::remove_dir_all(folder).unwrap();
}

/// A state that another program tuned becomes a state file, and both begin the same text, which is another than from zeros.
#[test]
fn a_tuned_state_is_converted_and_begun_from() {
    let folder = std::env::temp_dir().join(format!("web-mamba-convert-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    let golden = |name: &str| golden::folder().join(name).display().to_string();
    let model = golden("models/rwkv7-a-F32.gguf");
    let convert = |from: &str, to: &str, options: &[&str]| {
        tool(&[&["convert-state", &model, from, "-o", &path(to), "--json"], options].concat())
    };
    let summary = |output: Output| -> Value {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let written = |state: Option<&str>, options: &[&str]| {
        let state = state.map_or(vec![], |state| vec!["--state", state]);
        let exact = ["--backend", "cpu", "--activations", "f32", "--greedy", "--ignore-eos", "--max-tokens", "24"];
        ids(&json(
            &[&["generate", &model, "--prompt", "User: Who are you?", "--json"], &exact[..], &state, options].concat(),
        ))
    };
    let from = golden("states/tuned/time-state.pth");
    let begun = written(Some(&from), &[]);
    assert_ne!(begun, written(None, &[]));
    let bf16 = summary(convert(&from, "bf16.state", &[]));
    assert_eq!((bf16["order"].as_str(), bf16["numbers"].as_str()), (Some("value-key"), Some("f16")));
    assert_eq!(written(Some(&path("bf16.state")), &[]), begun);
    // What f16 would change stays f32, unless it is asked for.
    let exact = golden("states/tuned/time-state-strided.pth");
    assert_eq!(summary(convert(&exact, "f32.state", &["--no-gzip"]))["numbers"], "f32");
    assert_eq!(summary(convert(&exact, "f16.state", &["--f16"]))["numbers"], "f16");
    assert_eq!(written(Some(&path("f32.state")), &[]), written(Some(&exact), &[]));
    let swapped = summary(convert(&golden("states/tuned/time-state-web-rwkv.st"), "swapped.state", &[]));
    assert_eq!(swapped["order"], "key-value");

    // The order can be said, and what was done is said.
    let turned = written(Some(&from), &["--state-order", "key-value"]);
    assert_ne!(turned, begun);
    summary(convert(&from, "turned.state", &["--order", "key-value"]));
    assert_eq!(written(Some(&path("turned.state")), &[]), turned);
    let said = tool(&["generate", &model, "--prompt", "x", "--max-tokens", "1", "--backend", "cpu", "--state", &from]);
    assert!(String::from_utf8_lossy(&said.stderr).contains("value by key"), "{said:?}");
    let refused = convert(&from, "bf16.state", &[]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--force"));
    let other = tool(&["convert-state", DEMO, &from, "-o", &path("x.state")]);
    assert_eq!(other.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&other.stderr).contains("has none"), "{other:?}");
    std::fs::remove_dir_all(folder).unwrap();
}
