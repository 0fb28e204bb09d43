//! `web-mamba make-random`: its files are whole, and like real ones where that matters for measurements.
#![cfg(feature = "cli")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// By file type: the embedding's and most matrices' type, the head's, and that of W_dt, whose rows have 32 columns.
const MIXTURES: [(&str, &str, &str, &str); 15] = [
    ("f32", "F32", "F32", "F32"),
    ("f16", "F16", "F16", "F16"),
    ("bf16", "BF16", "BF16", "BF16"),
    ("q8_0", "Q8_0", "Q8_0", "Q8_0"),
    ("q4_0", "Q4_0", "Q6_K", "Q4_0"),
    ("q4_1", "Q4_1", "Q6_K", "Q4_1"),
    ("q5_0", "Q5_0", "Q6_K", "Q5_0"),
    ("q5_1", "Q5_1", "Q6_K", "Q5_1"),
    ("q2_k", "Q2_K", "Q6_K", "Q4_0"),
    ("q3_k_m", "Q3_K", "Q6_K", "Q4_0"),
    ("q4_k_m", "Q4_K", "Q6_K", "Q5_0"),
    ("q5_k_m", "Q5_K", "Q6_K", "Q5_1"),
    ("q6_k", "Q6_K", "Q6_K", "Q8_0"),
    ("iq4_nl", "IQ4_NL", "Q6_K", "IQ4_NL"),
    ("iq4_xs", "IQ4_XS", "Q6_K", "IQ4_NL"),
];

/// A folder of one test, gone at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("web-mamba-random-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn names(&self) -> Vec<String> {
        std::fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn tool(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_web-mamba")).args(arguments).output().unwrap()
}

fn json(arguments: &[&str]) -> Value {
    let output = tool(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn make(file: &str, shape: &str, file_type: &str, more: &[&str]) -> Value {
    json(&[&["make-random", file, "--shape", shape, "--type", file_type, "--json"], more].concat())
}

/// The message of a run that is to fail, which is one line.
fn refused(arguments: &[&str]) -> String {
    let output = tool(arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
    assert!(output.stdout.is_empty() && stderr.lines().count() == 1, "{stderr}");
    stderr
}

fn dtype<'v>(inspected: &'v Value, tensor: &str) -> &'v str {
    let tensors = inspected["tensors"].as_array().unwrap();
    tensors.iter().find(|t| t["name"] == tensor).unwrap_or_else(|| panic!("{tensor}"))["type"].as_str().unwrap()
}

/// Where the last tensor ends, with its padding: the size that the header gives the file.
fn promised_bytes(inspected: &Value) -> u64 {
    let end = |t: &Value| t["offset"].as_u64().unwrap() + t["bytes"].as_u64().unwrap();
    inspected["tensors"].as_array().unwrap().iter().map(end).max().unwrap().next_multiple_of(32)
}

fn check_logits(file: &str) {
    let value = json(&["logits", file, "--tokens", "70,71,72,300,5", "--backend", "cpu", "--json"]);
    let logits: Vec<f64> = value["logits"].as_array().unwrap().iter().map(|l| l.as_f64().unwrap()).collect();
    let mean = logits.iter().sum::<f64>() / logits.len() as f64;
    let std = (logits.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / logits.len() as f64).sqrt();
    assert!(logits.iter().all(|l| l.is_finite()) && (0.5..20.0).contains(&std), "{file}: logits have std {std}");
}

#[test]
fn every_type_has_its_mixture_its_size_and_sane_logits() {
    let folder = Folder::new("types");
    for (file_type, matrices, head, dt) in MIXTURES {
        let file = folder.file(file_type);
        let made = make(&file, "tiny", file_type, &[]);
        let inspected = json(&["inspect", &file, "--json"]);
        assert_eq!(inspected["model"]["layers"], 2);
        assert_eq!(made["parameters"], inspected["model"]["parameters"]);
        assert_eq!(inspected["model"]["error"], Value::Null);
        for name in ["token_embd.weight", "blk.0.ssm_in.weight", "blk.1.ssm_x.weight", "blk.1.ssm_out.weight"] {
            assert_eq!(dtype(&inspected, name), matrices, "{file_type}: {name}");
        }
        assert_eq!(dtype(&inspected, "output.weight"), head, "{file_type}");
        assert_eq!(dtype(&inspected, "blk.0.ssm_dt.weight"), dt, "{file_type}");
        for name in ["attn_norm.weight", "ssm_conv1d.weight", "ssm_conv1d.bias", "ssm_dt.bias", "ssm_a", "ssm_d"] {
            assert_eq!(dtype(&inspected, &format!("blk.1.{name}")), "F32", "{file_type}: {name}");
        }
        let bytes = std::fs::metadata(&file).unwrap().len();
        assert_eq!((made["bytes"].as_u64().unwrap(), promised_bytes(&inspected)), (bytes, bytes), "{file_type}");
        check_logits(&file);
    }
}

/// A tied head, and W_dt with rows of 48, which only F16 holds.
#[test]
fn a_published_shape_has_real_sizes_and_fewer_layers_where_asked() {
    let folder = Folder::new("published");
    let file = folder.file("130m.gguf");
    make(&file, "mamba-130m", "q4_k_m", &["--layers", "2"]);
    let inspected = json(&["inspect", &file, "--json"]);
    let model = &inspected["model"];
    let sizes = ["d_model", "d_inner", "d_state", "d_conv", "dt_rank", "layers", "vocab_size"];
    assert_eq!(sizes.map(|size| model[size].as_u64().unwrap()), [768, 1536, 16, 4, 48, 2, 50280]);
    assert_eq!((&model["tied_head"], &model["norm_dt_b_c"]), (&Value::Bool(true), &Value::Bool(false)));
    assert_eq!(dtype(&inspected, "token_embd.weight"), "Q6_K");
    assert_eq!(dtype(&inspected, "blk.1.ssm_dt.weight"), "F16");
    assert_eq!(dtype(&inspected, "blk.1.ssm_in.weight"), "Q4_K");
    assert_eq!(inspected["bytes"].as_u64().unwrap(), promised_bytes(&inspected));
    check_logits(&file);
}

/// What decides whether a model fits is in its header.
#[test]
fn a_model_without_weights_is_as_long_and_requires_the_same() {
    let folder = Folder::new("without-weights");
    let [whole, header] = ["whole.gguf", "header.gguf"].map(|name| folder.file(name));
    make(&whole, "tiny", "q4_k_m", &[]);
    make(&header, "tiny", "q4_k_m", &["--no-weights"]);
    let inspected = [&whole, &header].map(|file| json(&["inspect", file, "--json"]));
    for key in ["bytes", "tensors", "model", "fit"] {
        assert_eq!(inspected[0][key], inspected[1][key], "{key}");
    }
    assert!(inspected[0]["fit"]["requirements"]["memory"].as_u64().unwrap() > 0);
    let [whole, header] = [whole, header].map(|file| std::fs::read(file).unwrap());
    let start = whole.iter().zip(&header).take_while(|(a, b)| a == b).count();
    assert!(start > 1000 && whole.len() == header.len() && header[start..].iter().all(|&byte| byte == 0));
}

#[test]
fn a_seed_names_a_file() {
    let folder = Folder::new("seeds");
    let bytes = |name: &str, seed: &str| {
        make(&folder.file(name), "tiny", "q4_k_m", &["--seed", seed]);
        std::fs::read(folder.file(name)).unwrap()
    };
    let first = bytes("a", "7");
    assert!(first == bytes("b", "7"), "the same seed");
    assert!(first != bytes("c", "8"), "another seed");
}

#[test]
fn the_vocabulary_spells_any_text_and_chats() {
    let folder = Folder::new("vocabulary");
    let file = folder.file("tiny.gguf");
    make(&file, "tiny", "q8_0", &[]);
    let value = json(&["tokenize", &file, "--text", "<|im_start|>the ö", "--json"]);
    let ids: Vec<u64> = value["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect();
    // `t`, `he`, the space, and the two bytes of `ö`: bytes come after the three control tokens, merges after the bytes.
    assert_eq!(ids, [1, 3 + 116, 259 + 1, 3 + 32, 3 + 0xc3, 3 + 0xb6]);
    let answer =
        ["generate", &file, "--chat", "Hello", "--max-tokens", "5", "--ignore-eos", "--backend", "cpu", "--json"];
    assert_eq!(json(&answer)["tokens"], 5);
}

#[test]
fn nothing_is_overwritten_unasked_and_no_part_is_left_behind() {
    let folder = Folder::new("overwrite");
    let file = folder.file("tiny.gguf");
    std::fs::write(&file, "precious").unwrap();
    let arguments = ["make-random", &file, "--shape", "tiny", "--type", "q4_0"];
    assert!(refused(&arguments).contains("is there already"));
    assert_eq!(std::fs::read(&file).unwrap(), b"precious");
    assert!(tool(&[&arguments[..], &["--force"]].concat()).status.success());
    assert_eq!(&std::fs::read(&file).unwrap()[..4], b"GGUF");
    assert_eq!(folder.names(), ["tiny.gguf"]);
    // A folder or a device is never replaced.
    let own = folder.0.display().to_string();
    assert!(
        refused(&["make-random", &own, "--shape", "tiny", "--type", "q4_0", "--force"]).contains("is there already")
    );
    let nowhere = folder.file("no/such/folder.gguf");
    assert!(refused(&["make-random", &nowhere, "--shape", "tiny", "--type", "q4_0"]).contains("writing"));
}

/// `/dev/full` is what a disk without room looks like; the partial file's name leads to it.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_one_sentence_and_leaves_nothing() {
    let folder = Folder::new("full");
    let file = folder.file("tiny.gguf");
    std::os::unix::fs::symlink(Path::new("/dev/full"), folder.file("tiny.gguf.partial")).unwrap();
    let message = refused(&["make-random", &file, "--shape", "tiny", "--type", "f32"]);
    assert!(message.contains("No space left") && message.contains(&file), "{message}");
    assert!(folder.names().is_empty(), "{:?}", folder.names());
}

/// What other readers ask for is there, and every text can be spelt.
#[test]
fn an_rwkv7_is_like_published_ones() {
    let folder = Folder::new("rwkv7");
    let file = folder.file("rwkv7.gguf");
    let made = make(&file, "rwkv7-0.1b", "q4_k_m", &["--no-weights"]);
    // Of 12 layers: w1 and w2 of f32, the other pairs of f16, four square and two wide matrices and the embedding in 4 bits.
    assert_eq!(
        (&made["tensors"]["F16"], &made["tensors"]["Q4_K"], &made["tensors"]["Q6_K"]),
        (&72.into(), &73.into(), &1.into())
    );
    let tokens = json(&["tokenize", &file, "--text", "hé\u{ff}\u{10ffff}\n\n", "--json"]);
    assert_eq!(tokens["ids"], serde_json::json!([105, 196, 170, 196, 192, 245, 144, 192, 192, 261]));
}
