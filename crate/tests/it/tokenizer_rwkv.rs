//! The vocabulary of RWKV World models, by the vectors of other implementations, and vocabularies that a hostile file may bring.

use std::time::Instant;

use crate::support::vocab::{golden, small_world, strings, with};
use proptest::prelude::*;
use web_mamba::Error;
use web_mamba::gguf::{Array, Metadata, Value};
use web_mamba::tokenizer::{Special, Tokenizer};

const TOKENS: &str = "tokenizer.ggml.tokens";
const TYPES: &str = "tokenizer.ggml.token_type";

fn world() -> Tokenizer {
    Tokenizer::from_metadata(&golden("vocab/ggml-vocab-rwkv-world.gguf")).unwrap()
}

fn file(name: &str) -> String {
    // As bytes: line ends of other systems are part of the texts.
    let path = format!("{}/../tests/golden/vocab/{name}", env!("CARGO_MANIFEST_DIR"));
    String::from_utf8(std::fs::read(path).unwrap()).unwrap()
}

/// A vocabulary of these tokens, all of them text but the first.
fn vocabulary(texts: Vec<String>) -> Metadata {
    let mut types = vec![1; texts.len()];
    types[0] = 3;
    let world = with(&small_world(&[]), TYPES, Some(Value::Array(Array::Signed(types))));
    with(&with(&world, TOKENS, strings(texts)), "tokenizer.ggml.eot_token_id", None)
}

fn problem(metadata: &Metadata) -> String {
    match Tokenizer::from_metadata(metadata) {
        Err(Error::Vocabulary { problem }) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_text_of_the_vectors() {
    let tokenizer = world();
    let (texts, ids) = (file("ggml-vocab-rwkv-world.gguf.inp"), file("ggml-vocab-rwkv-world.gguf.out"));
    let texts: Vec<&str> = texts.split("\n__ggml_vocab_test__\n").collect();
    let ids: Vec<&str> = ids.split('\n').collect();
    assert_eq!((texts.len(), ids.len()), (93, 93));
    assert!(texts.iter().any(|text| text.contains("\r\n")));
    for (text, ids) in texts.iter().zip(ids) {
        let expected: Vec<u32> = ids.split_whitespace().map(|id| id.parse().unwrap()).collect();
        for special in [Special::Plain, Special::Parse] {
            assert_eq!(tokenizer.encode(text, special).unwrap(), expected, "{text:?}");
        }
        assert_eq!(tokenizer.decode(&expected, true), *text);
        let mut stream = tokenizer.decode_stream(true);
        let streamed: String = expected.iter().map(|&id| stream.push(id)).collect();
        assert_eq!(streamed + &stream.finish(), *text);
    }
}

/// No text is a control token or padding: the ids are those of RWKV's own tokenizers, and not llama.cpp's.
#[test]
fn no_text_is_a_control_token() {
    let tokenizer = world();
    let golden: serde_json::Value = serde_json::from_str(&file("bytes-and-special.json")).unwrap();
    let cases = golden["special"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let text = case["text"].as_str().unwrap();
        for special in [Special::Plain, Special::Parse] {
            let ids = tokenizer.encode_prompt(text, special).unwrap();
            assert_eq!(serde_json::to_value(&ids).unwrap(), case["world_ids"], "{text}");
            assert_eq!(tokenizer.decode(&ids, true), text);
        }
    }
}

#[test]
fn special_ids_of_the_world_vocabulary() {
    let tokenizer = world();
    assert_eq!(tokenizer.vocab_size(), 65_536);
    assert_eq!((tokenizer.bos(), tokenizer.eos(), tokenizer.add_bos()), (Some(0), Some(0), false));
    assert_eq!(tokenizer.stop_tokens(), [0, 261]);
    assert!(tokenizer.is_control(0) && !tokenizer.is_control(261) && !tokenizer.is_control(65_535));
    assert_eq!((tokenizer.token_bytes(261), tokenizer.token_bytes(256)), (&b"\n\n"[..], &b"\xff"[..]));
    assert_eq!((tokenizer.token_bytes(65_535), tokenizer.token_bytes(65_536)), (&b""[..], &b""[..]));
    assert!(tokenizer.notes().is_empty(), "{:?}", tokenizer.notes());
    // Whatever the file says, and where it says nothing, 0 ends a text and is none.
    let mut metadata = golden("vocab/ggml-vocab-rwkv-world.gguf");
    for key in ["tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id", TYPES] {
        metadata = with(&metadata, key, None);
    }
    let bare = Tokenizer::from_metadata(&metadata).unwrap();
    assert_eq!((bare.bos(), bare.eos(), bare.stop_tokens()), (None, None, &[0, 261][..]));
    assert!(bare.is_control(0));
    assert_eq!(bare.encode("<s>", Special::Parse).unwrap(), [61, 116, 63]);
}

#[test]
fn a_stream_of_every_character_gives_no_half_of_one() {
    let tokenizer = world();
    let text = "naïve 日本語 🚀 𠀀 é\u{200d}😶‍🌫️ កាន់ 。\n";
    // A token for each byte: the finest stream there is.
    let ids: Vec<u32> = text.bytes().map(|byte| u32::from(byte) + 1).collect();
    let mut stream = tokenizer.decode_stream(true);
    let pieces: Vec<String> = ids.iter().map(|&id| stream.push(id)).collect();
    assert_eq!(pieces.concat() + &stream.finish(), text);
    for (byte, piece) in text.bytes().zip(&pieces) {
        assert!(piece.chars().count() <= 1 && !piece.contains('\u{FFFD}'), "{byte:#x} {piece:?}");
    }
    // Cut off after any token, the rest is one replacement at most.
    for end in 0..ids.len() {
        let mut stream = tokenizer.decode_stream(true);
        let start: String = ids[..end].iter().map(|&id| stream.push(id)).collect();
        assert!(text.starts_with(&start));
        assert_eq!(stream.finish().is_empty(), text.is_char_boundary(end), "{end}");
    }
}

#[test]
fn broken_vocabularies_are_named() {
    let texts = |more: &[&str]| vocabulary([&["<s>", "a", "b"], more].concat().into_iter().map(String::from).collect());
    for broken in ["\\", "\\x", "\\x4", "\\xg0", "a\\", "\\x4é"] {
        assert!(problem(&texts(&[broken])).contains("token 3"), "{broken}");
    }
    assert!(problem(&texts(&["\\x61"])).contains("tokens 1 and 3 have the same text"));
    assert!(problem(&vocabulary(vec!["<s>".into(), "a".repeat(257)])).contains("257 bytes"));
    assert!(problem(&vocabulary(vec!["<s>".into(), "a".repeat(1 << 20)])).contains("1048576 bytes"));
    assert!(problem(&vocabulary(vec!["<s>".repeat(1 << 20)])).contains("special token 0"));
    assert!(problem(&with(&texts(&[]), TOKENS, strings::<String>([]))).contains("no tokens"));
    assert!(problem(&with(&texts(&[]), TOKENS, strings(["a"]))).contains("1 tokens and 3 token types"));
    for key in ["bos", "eos", "eot", "eom"] {
        let key = format!("tokenizer.ggml.{key}_token_id");
        assert!(problem(&with(&texts(&[]), &key, Some(Value::Unsigned(3)))).contains("only 3 tokens"), "{key}");
    }
}

#[test]
fn odd_but_sound_vocabularies_are_accepted() {
    let texts = ["<s>", "a", "", "", "ab\\n", "\\", "\\x61", "a", "é"].map(String::from).to_vec();
    let types = Some(Value::Array(Array::Signed(vec![3, 1, 1, 3, 1, 5, 5, 5, 1])));
    let tokenizer = Tokenizer::from_metadata(&with(&vocabulary(texts), TYPES, types)).unwrap();
    // A byte without a token is dropped, which is noted.
    assert_eq!(tokenizer.encode("aab\nabé", Special::Plain).unwrap(), [1, 4, 1, 8]);
    assert!(tokenizer.notes()[0].contains("255 of 256 bytes"), "{:?}", tokenizer.notes());
    // Without any text token at all.
    let none = Tokenizer::from_metadata(&vocabulary(vec!["<s>".into(), String::new()])).unwrap();
    assert_eq!(none.encode("anything", Special::Parse).unwrap(), [0u32; 0]);
    // One that the file says to cut out of any text is.
    let types = Some(Value::Array(Array::Signed(vec![3, 1, 1, 4])));
    let texts = ["<s>", "a", "b", "<tool>"].map(String::from).to_vec();
    let tokenizer = Tokenizer::from_metadata(&with(&vocabulary(texts), TYPES, types)).unwrap();
    assert_eq!(tokenizer.encode("a<tool>b<s>", Special::Parse).unwrap(), [1, 3, 2]);
}

/// A million tokens, and texts at which every place begins the longest of tokens: linear time, and memory as the tokens have bytes.
#[test]
fn large_vocabularies_and_slow_texts_take_linear_time() {
    let million: Vec<String> = (0..1_000_000).map(|n| format!("t{n:x}")).collect();
    let nested: Vec<String> = (0..256).map(|n| "a".repeat(n + 1)).collect();
    let long: Vec<String> = (0..2_000).map(|n| format!("{}{n:05}", "a".repeat(251))).collect();
    for (texts, text) in [
        (million.clone(), million[1..].join("")),
        (nested, "a".repeat(300_000)),
        (long, format!("{}b", "a".repeat(251)).repeat(1_000)),
    ] {
        let started = Instant::now();
        let metadata = vocabulary([vec!["<s>".to_owned()], texts].concat());
        let tokenizer = Tokenizer::from_metadata(&metadata).unwrap();
        let built = started.elapsed();
        let ids = tokenizer.encode(&text, Special::Plain).unwrap();
        let last = tokenizer.vocab_size() as u32 - 1;
        let longest = String::from_utf8(tokenizer.token_bytes(last).to_vec()).unwrap();
        assert_eq!(tokenizer.encode(&longest, Special::Plain).unwrap(), [last]);
        println!("{} tokens, {built:?}; {} bytes, {:?}", tokenizer.vocab_size(), text.len(), started.elapsed() - built);
        assert!(tokenizer.decode(&ids, true).len() <= text.len());
        // Generous: the point is that nothing is quadratic, on a busy machine too.
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    }
}

#[test]
fn the_world_vocabulary_is_read_and_texts_are_encoded_fast() {
    let metadata = golden("vocab/ggml-vocab-rwkv-world.gguf");
    let started = Instant::now();
    let tokenizer = Tokenizer::from_metadata(&metadata).unwrap();
    let built = started.elapsed();
    let text = file("ggml-vocab-rwkv-world.gguf.inp").repeat(1000);
    let started = Instant::now();
    let ids = tokenizer.encode(&text, Special::Plain).unwrap();
    let took = started.elapsed();
    println!("read in {built:?}; {} bytes to {} tokens in {took:?}", text.len(), ids.len());
    assert!(built.as_secs() < 2 && took.as_secs() < 2, "{built:?} {took:?}");
    assert_eq!(tokenizer.decode(&ids, true), text);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_vocabulary_is_an_error_or_a_tokenizer(
        texts in proptest::collection::vec(prop_oneof!["[ab\\\\xn0-9é]{0,5}", any::<String>()], 1..12),
        types in proptest::option::of(proptest::collection::vec(0i64..8, 12)),
        ids in proptest::collection::vec(("(bos|eos|eot|eom|padding)", 0u64..14), 0..3),
        text in prop_oneof!["[ab\nxé]{0,40}", any::<String>()],
    ) {
        let types = types.map(|types| Value::Array(Array::Signed(types[..texts.len().min(12)].to_vec())));
        let mut metadata = with(&vocabulary(texts), TYPES, types);
        for (key, id) in ids {
            metadata = with(&metadata, &format!("tokenizer.ggml.{key}_token_id"), Some(Value::Unsigned(id)));
        }
        if let Ok(tokenizer) = Tokenizer::from_metadata(&metadata) {
            for special in [Special::Parse, Special::Plain] {
                let ids = tokenizer.encode_prompt(&text, special).unwrap();
                prop_assert!(ids.iter().all(|&id| (id as usize) < tokenizer.vocab_size() && !tokenizer.is_control(id)));
                tokenizer.decode(&ids, true);
            }
        }
    }

    #[test]
    fn decoding_undoes_encoding(
        more in proptest::collection::btree_set("[abcé日]{3,6}", 0..20),
        text in prop_oneof!["[abcé日\n ]{0,60}", any::<String>()],
    ) {
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let tokenizer = Tokenizer::from_metadata(&small_world(&more)).unwrap();
        let ids = tokenizer.encode(&text, Special::Plain).unwrap();
        prop_assert_eq!(&tokenizer.decode(&ids, true), &text);
        // From the left, no token could be longer.
        let mut at = 0;
        for id in ids {
            let rest = &text.as_bytes()[at..];
            let length = tokenizer.token_bytes(id).len();
            let longest = (0..tokenizer.vocab_size() as u32)
                .filter(|&other| !tokenizer.is_control(other) && rest.starts_with(tokenizer.token_bytes(other)))
                .map(|other| tokenizer.token_bytes(other).len())
                .max();
            prop_assert_eq!(longest, Some(length));
            at += length;
        }
    }
}
