//! What is given untrusted bytes, each as a function of bytes that may do anything but panic, hang, or take memory that the bytes do not
//! justify. `main.rs` beside it runs them under libFuzzer, `crate/tests/it/fuzz.rs` over the corpora in every test run.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use pollster::block_on;
use twox_hash::XxHash3_128;
use web_mamba::fingerprint::ModelHash;
use web_mamba::fit;
use web_mamba::gguf::{Array, Gguf, HeaderWriter, Metadata, Value};
use web_mamba::model::ModelFile;
use web_mamba::quant::{BlockIntegers, DType, are_finite, decode_row, device_row_bytes, to_device_rows};
use web_mamba::snapshot::{Numbers, Snapshot};
use web_mamba::source::{ByteSource, MemorySource};
use web_mamba::tokenizer::{ChatMessage, ChatTemplate, Special, Tokenizer, byte_alphabet};

/// A reader of untrusted bytes.
pub struct Target {
    /// Its name on the command line, and that of its corpus.
    pub name: &'static str,
    /// Reads some bytes. It panics where a promise of the reader is broken.
    pub run: fn(&[u8]),
    /// Sound inputs, to begin from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "gguf", run: gguf, seeds: || vec![model_file(), vocabulary_file()] },
    Target { name: "split", run: split, seeds: || vec![[&[0, 1, 90, 0][..], &model_file()].concat()] },
    Target { name: "blocks", run: blocks, seeds: block_seeds },
    Target { name: "tokenizer", run: tokenizer, seeds: tokenizer_seeds },
    Target { name: "template", run: template, seeds: template_seeds },
    Target { name: "state", run: state, seeds: || golden_files("states", "state") },
    Target { name: "tuned", run: tuned, seeds: tuned_seeds },
];

/// The repository's golden files.
fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .find(|folder| folder.join("tests/golden").is_dir())
        .unwrap()
        .join("tests/golden")
}

/// Those of a folder with an ending, the small ones: a mutation of a large file mostly changes what is not looked at.
fn golden_files(folder: &str, ending: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> =
        std::fs::read_dir(golden().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == ending));
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).filter(|bytes| bytes.len() <= 128 << 10).collect()
}

// ---- Model files

/// Opens a file, or the parts of one, and makes of it all that needs no weights.
fn open(parts: &[&[u8]]) {
    let sources = || -> Vec<Rc<dyn ByteSource>> {
        parts
            .iter()
            .map(|bytes| Rc::new(MemorySource::new("fuzz.gguf", bytes.to_vec())) as Rc<dyn ByteSource>)
            .collect()
    };
    for gguf in [block_on(Gguf::open_start(sources())), block_on(Gguf::open(sources()))] {
        let Ok(gguf) = gguf else { continue };
        for tensor in gguf.tensors().iter().take(64) {
            let wanted = tensor.bytes.min(4096) as usize;
            if let Ok(bytes) = block_on(gguf.read(tensor, 0, wanted)) {
                assert_eq!(bytes.len(), wanted);
            }
        }
        if let Ok(tokenizer) = Tokenizer::from_metadata(&gguf.metadata) {
            round_trip(&tokenizer, "A text, 12345 × \u{1F980} <|im_end|>\n\n");
        }
        if let Ok(file) = ModelFile::of(gguf) {
            let _ = fit::requirements(&file);
        }
    }
}

fn gguf(data: &[u8]) {
    open(&[data]);
}

/// Two or three parts of bytes, cut at places that the first four bytes give.
fn split(data: &[u8]) {
    let [a, b, c, d, rest @ ..] = data else { return };
    let cut = |low: u8, high: u8| (usize::from(high) << 8 | usize::from(low)).min(rest.len());
    let (first, second) = (cut(*a, *b).min(cut(*c, *d)), cut(*a, *b).max(cut(*c, *d)));
    open(&[&rest[..first], &rest[first..second], &rest[second..]]);
    open(&[rest, rest]);
}

/// The header of a Mamba of one layer, with its tensors' bytes, which are zeros.
fn model_file() -> Vec<u8> {
    let mut header = HeaderWriter::new();
    let (embedding, inner, states, rank, vocabulary) = (8_u64, 16_u64, 2_u64, 1_u64, 8_u64);
    header.pair("general.architecture", &Value::String("mamba".into()));
    for (key, value) in [
        ("block_count", 1),
        ("embedding_length", embedding),
        ("context_length", 128),
        ("ssm.conv_kernel", 4),
        ("ssm.inner_size", inner),
        ("ssm.state_size", states),
        ("ssm.time_step_rank", rank),
    ] {
        header.pair(&format!("mamba.{key}"), &Value::Unsigned(value));
    }
    header.pair("mamba.attention.layer_norm_rms_epsilon", &Value::Float(1e-5));
    for (key, value) in vocabulary_of("gpt2", &["a", "b", "c", "d", "ab", "cd", "x", "y"], &["a b", "c d"]).sorted() {
        header.pair(key, value);
    }
    let mut bytes = 0;
    let mut tensor = |name: &str, dims: &[u64]| {
        let own = header.tensor(name, DType::F32, dims);
        bytes += own + HeaderWriter::padding(own) as u64;
    };
    tensor("token_embd.weight", &[embedding, vocabulary]);
    tensor("output_norm.weight", &[embedding]);
    for (name, dims) in [
        ("attn_norm.weight", &[embedding][..]),
        ("ssm_in.weight", &[embedding, 2 * inner]),
        ("ssm_conv1d.weight", &[4, inner]),
        ("ssm_conv1d.bias", &[inner]),
        ("ssm_x.weight", &[inner, rank + 2 * states]),
        ("ssm_dt.weight", &[rank, inner]),
        ("ssm_dt.bias", &[inner]),
        ("ssm_a", &[states, inner]),
        ("ssm_d", &[inner]),
        ("ssm_out.weight", &[inner, embedding]),
    ] {
        tensor(&format!("blk.0.{name}"), dims);
    }
    let mut file = header.to_bytes();
    file.resize(file.len() + bytes as usize, 0);
    file
}

/// A header with values of every kind, and no tensor.
fn vocabulary_file() -> Vec<u8> {
    let mut header = HeaderWriter::new();
    for (key, value) in vocabulary_of("rwkv", &["<s>", "'a'", "b'\\xff'", "'ab'"], &[]).sorted() {
        header.pair(key, value);
    }
    header.pair("a", &Value::Array(Array::Array(vec![Array::Bool(vec![true, false]), Array::Float(vec![1.5])])));
    header.pair("tokenizer.chat_template", &Value::String("{% for m in messages %}{{ m.content }}{% endfor %}".into()));
    header.to_bytes()
}

// ---- Blocks of quantised values

/// Rows of a type, that the first byte gives: decoded, taken apart and laid out for a GPU; what is finite is judged as it decodes.
fn blocks(data: &[u8]) {
    let [kind, blocks_of_a_row, rest @ ..] = data else { return };
    let Some(dtype) = DType::all().nth(usize::from(*kind) % DType::all().count()) else { return };
    let blocks_of_a_row = 1 + usize::from(*blocks_of_a_row) % 4;
    let row = blocks_of_a_row * dtype.block_bytes();
    let bytes = &rest[..rest.len() / row * row];
    if bytes.is_empty() {
        return;
    }
    let columns = blocks_of_a_row * dtype.block_len();
    let mut all_finite = true;
    let mut values = vec![0.0; columns];
    for row in bytes.chunks_exact(row) {
        decode_row(dtype, row, &mut values);
        all_finite &= values.iter().all(|value| value.is_finite());
    }
    assert_eq!(are_finite(dtype, bytes), all_finite, "{dtype}");
    if dtype.has_quants() {
        for block in bytes.chunks_exact(dtype.block_bytes()) {
            let _ = BlockIntegers::new(dtype, block);
        }
    }
    assert_eq!(
        to_device_rows(dtype, columns, bytes).len(),
        bytes.len() / row * device_row_bytes(dtype, columns),
        "{dtype}"
    );
}

fn block_seeds() -> Vec<Vec<u8>> {
    (0..DType::all().count() as u8)
        .map(|kind| [vec![kind, 1], (0..=255).cycle().take(600).collect()].concat())
        .collect()
}

// ---- Vocabularies

fn vocabulary_of(model: &str, tokens: &[&str], merges: &[&str]) -> Metadata {
    let strings = |texts: &[&str]| Value::Array(Array::String(texts.iter().map(|text| (*text).to_owned()).collect()));
    let mut metadata = Metadata::default();
    for (key, value) in [
        ("model", Value::String(model.into())),
        ("pre", Value::String("gpt-2".into())),
        ("tokens", strings(tokens)),
        ("token_type", Value::Array(Array::Signed(vec![1; tokens.len()]))),
        ("merges", strings(merges)),
    ] {
        metadata.insert(format!("tokenizer.ggml.{key}"), value);
    }
    metadata
}

/// A vocabulary whose tables the bytes give, and a text for it. Parts end with a zero byte: the kinds, tokens by line, merges by line, the text.
fn tokenizer(data: &[u8]) {
    let mut parts = data.split(|byte| *byte == 0);
    let mut part = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let (kinds, tokens, merges, text) = (part(), part(), part(), part());
    let kind = kinds.as_bytes().first().copied().unwrap_or(0);
    let bytes: Vec<String> = match kind & 1 {
        0 => byte_alphabet().iter().map(char::to_string).collect(),
        _ => Vec::new(),
    };
    let mut texts: Vec<&str> = bytes.iter().map(String::as_str).collect();
    texts.extend(tokens.lines());
    let model = if kind & 2 == 0 { "gpt2" } else { "rwkv" };
    let base = vocabulary_of(model, &texts, &merges.lines().collect::<Vec<_>>());
    let mut metadata = Metadata::default();
    let pre = ["gpt-2", "llama-bpe", "qwen2", "falcon", "default", "olmo"][usize::from(kind >> 2) % 6];
    for (key, value) in base.sorted() {
        let value = match key {
            "tokenizer.ggml.pre" => Value::String(pre.into()),
            "tokenizer.ggml.token_type" => {
                let own = kinds.bytes().skip(1).map(|byte| i64::from(byte % 8));
                Value::Array(Array::Signed(
                    bytes.iter().map(|_| 1).chain(own.chain(std::iter::repeat(1))).take(texts.len()).collect(),
                ))
            }
            _ => value.clone(),
        };
        metadata.insert(key.to_owned(), value);
    }
    if let Ok(tokenizer) = Tokenizer::from_metadata(&metadata) {
        round_trip(&tokenizer, &text);
    }
}

/// A text becomes tokens of the vocabulary, and these a text again, at once and one by one.
fn round_trip(tokenizer: &Tokenizer, text: &str) {
    for special in [Special::Plain, Special::Parse] {
        let Ok(ids) = tokenizer.encode(text, special) else { continue };
        assert!(ids.iter().all(|id| (*id as usize) < tokenizer.vocab_size()));
        let whole = tokenizer.decode(&ids, false);
        let mut stream = tokenizer.decode_stream(false);
        let mut by_token: String = ids.iter().map(|id| stream.push(*id)).collect();
        by_token.push_str(&stream.finish());
        assert_eq!(whole, by_token);
    }
    let _ = tokenizer.encode_chat(&[ChatMessage::new("system", text), ChatMessage::new("user", text)]);
}

fn tokenizer_seeds() -> Vec<Vec<u8>> {
    let parts = |parts: [&str; 4]| parts.join("\0").into_bytes();
    vec![
        parts(["@", "ab\nabc\n<|x|>", "a b\nab c", "abc <|x|> été"]),
        parts(["A\u{3}\u{4}", "a\nb\nc\nab", "a b", "abcab"]),
        parts(["C", "<s>\n'a'\nb'\\xe2\\x82'\n'ab'\n\"it's\"", "", "abba it's €"]),
    ]
}

// ---- Chat templates

/// A template, and after a zero byte the contents of messages, which take turns.
fn template(data: &[u8]) {
    let mut parts = data.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let source = parts.next().unwrap_or_default();
    let mut metadata = vocabulary_of("gpt2", &["<s>", "</s>"], &[]);
    metadata.insert("tokenizer.ggml.bos_token_id".into(), Value::Unsigned(0));
    metadata.insert("tokenizer.chat_template".into(), Value::String(source.to_string()));
    let mut messages: Vec<_> = parts
        .take(6)
        .zip(["system", "user", "assistant"].into_iter().cycle())
        .map(|(content, role)| ChatMessage::new(role, content))
        .collect();
    messages.push(ChatMessage::new("user", "Hello"));
    let templates = [ChatTemplate::from_metadata(&metadata), ChatTemplate::own(&source, &metadata)];
    for template in templates.iter().flatten() {
        for add_generation_prompt in [false, true] {
            if let Ok(text) = template.render(&messages, add_generation_prompt) {
                assert!(text.len() <= 64 << 20, "a prompt of {} bytes", text.len());
            }
        }
        let _ = template.tool_format();
    }
}

fn template_seeds() -> Vec<Vec<u8>> {
    let mut seeds = golden_files("templates/harmful", "jinja");
    seeds.extend(golden_files("templates/chats", "jinja"));
    seeds.retain(|seed| seed.len() <= 8 << 10);
    let sound = "{% for m in messages %}{{ '<|' ~ m['role'] ~ '|>' ~ m.content | trim }}{% endfor %}{% if add_generation_prompt %}{{ bos_token }}{% endif %}";
    seeds.push(format!("{sound}\0Be brief.\0Why?\0Because.").into_bytes());
    seeds.push("{% set ns = namespace(n=0) %}{% macro f(x, y=2) %}{{ x[1:] | upper }}{% endmacro %}{{ f(messages[0].content) }}".into());
    seeds
}

// ---- States

/// A state file, as it is and with the length and the check sum that belong to it: what is read is written and read again as it was.
fn state(data: &[u8]) {
    let mut sealed = data.to_vec();
    if let Some(body) = sealed.len().checked_sub(size_of::<u128>()).filter(|body| *body >= LENGTH.end) {
        let length = sealed.len() as u64;
        sealed[LENGTH].copy_from_slice(&length.to_le_bytes());
        let sum = XxHash3_128::oneshot(&sealed[..body]);
        sealed[body..].copy_from_slice(&sum.to_le_bytes());
    }
    for bytes in [data, &sealed] {
        let Ok(snapshot) = Snapshot::from_bytes(bytes) else { continue };
        let Ok(bytes) = snapshot.to_bytes(Numbers::F32) else { continue };
        let again = Snapshot::from_bytes(&bytes).unwrap();
        assert_eq!(again.tokens, snapshot.tokens);
        assert!(again.to_bytes(Numbers::F32).unwrap() == bytes);
    }
}

/// Where a state file has its length: after the magic, the version and the type of its numbers (docs/formats.md).
const LENGTH: std::ops::Range<usize> = 16..24;

thread_local! {
    static RWKV: OnceCell<ModelFile> = const { OnceCell::new() };
}

/// A tuned state of another program, for a tiny RWKV-7.
fn tuned(data: &[u8]) {
    RWKV.with(|file| {
        let file = file.get_or_init(|| {
            let bytes = std::fs::read(golden().join("models/rwkv7-a-F32.gguf")).unwrap();
            let source: Rc<dyn ByteSource> = Rc::new(MemorySource::new("rwkv7-a-F32.gguf", bytes));
            ModelFile::of(block_on(Gguf::open(vec![source])).unwrap()).unwrap()
        });
        for name in ["state.pth", "state.st"] {
            let _ = Snapshot::open(data, (name, None), &ModelHash([0; 16]), &file.network);
        }
    });
}

fn tuned_seeds() -> Vec<Vec<u8>> {
    ["pth", "safetensors", "st"].into_iter().flat_map(|ending| golden_files("states/tuned", ending)).collect()
}
