//! Vocabularies that a broken or hostile file may bring: typed errors, and never a panic.

use crate::support::vocab::{self, small, string, strings, with};
use proptest::prelude::*;
use web_mamba::Error;
use web_mamba::gguf::{Array, Metadata, Value};
use web_mamba::tokenizer::{ChatMessage, Special, Tokenizer};

const PREFIX: &str = "tokenizer.ggml.";

fn error_with(key: &str, value: Option<Value>) -> Error {
    let good = small("gpt-2", &[("a", "b"), ("ab", "c")], &[("<|x|>", 3)]);
    Tokenizer::from_metadata(&good).unwrap();
    Tokenizer::from_metadata(&with(&good, &format!("{PREFIX}{key}"), value)).unwrap_err()
}

#[test]
fn broken_tables_are_named() {
    let check = |key: &str, value: Option<Value>, expected: &str| match error_with(key, value) {
        Error::Vocabulary { problem } => assert!(problem.contains(expected), "{key}: {problem}"),
        other => panic!("{key}: {other:?}"),
    };
    check("model", string("llama"), "llama");
    check("tokens", strings::<String>([]), "no tokens");
    check("tokens", strings(["a", "b"]), "2 tokens and 259 token types");
    check("token_type", Some(Value::Array(Array::Signed(vec![1; 258]))), "258 token types");
    check("token_type", Some(Value::Array(Array::Signed(vec![-1; 259]))), "type -1");
    check("token_type", Some(Value::Array(Array::Unsigned(vec![u64::MAX; 259]))), "unknown type");
    for merge in ["ab", "", " ", "a ", " b"] {
        check("merges", strings([merge]), "space between");
    }
    for merge in ["a Z0", "Z0 a", "a c", "a b c", "ab <|x|>"] {
        check("merges", strings([merge]), "not a token");
    }
    for key in ["bos", "eos", "eot", "eom"] {
        check(&format!("{key}_token_id"), Some(Value::Unsigned(259)), "only 259 tokens");
    }
    check("add_bos_token", Some(Value::Bool(true)), "no BOS");
    let mut texts: Vec<String> = (0..259).map(|n| format!("t{n}")).collect();
    texts[200] = "t7".into();
    check("tokens", strings(texts), "same text");
}

#[test]
fn absent_and_mistyped_keys_are_named() {
    for key in ["model", "tokens", "merges"] {
        assert_eq!(error_with(key, None), Error::MissingKey { key: format!("{PREFIX}{key}") });
    }
    for key in ["model", "pre", "tokens", "merges", "token_type", "bos_token_id", "eot_token_id", "add_bos_token"] {
        let error = error_with(key, Some(Value::Float(1.0)));
        assert!(matches!(&error, Error::KeyValue { key: found, .. } if found.ends_with(key)), "{error:?}");
    }
    assert!(matches!(error_with("pre", string("qwen2")), Error::PreTokenizer { .. }));
    let unknown = error_with("pre", string(&"x".repeat(1_000_000)));
    assert!(unknown.to_string().len() < 400, "{unknown}");
}

#[test]
fn odd_but_sound_tables_are_accepted() {
    let good = small("gpt-2", &[("a", "b"), ("ab", "c")], &[("", 1), ("", 3), ("<|x|>", 3), ("abd", 3)]);
    // Equal merges, and a merge that would make a control token.
    let merges = strings(["a b", "ab c", "a b", "ab d"]);
    let tokenizer = Tokenizer::from_metadata(&with(&good, "tokenizer.ggml.merges", merges)).unwrap();
    assert_eq!(tokenizer.encode("abc", Special::Parse).unwrap(), [257]);
    let ids = tokenizer.encode("abd", Special::Plain).unwrap();
    assert!(!ids.iter().any(|id| tokenizer.is_control(*id)));
    assert_eq!(tokenizer.decode(&ids, true), "abd");
    let untyped = with(&good, "tokenizer.ggml.token_type", None);
    assert!(Tokenizer::from_metadata(&untyped).is_ok());
    // Without a token for a byte, that byte is dropped.
    let mut few = with(&with(&good, "tokenizer.ggml.tokens", strings(["a"])), "tokenizer.ggml.token_type", None);
    few = with(&few, "tokenizer.ggml.merges", strings::<String>([]));
    assert_eq!(Tokenizer::from_metadata(&few).unwrap().encode("banana", Special::Parse).unwrap(), [0, 0, 0]);
}

/// What nothing uses is no reason to refuse a file: it is noted.
#[test]
fn what_nothing_uses_is_noted() {
    let good = small("gpt-2", &[("a", "b"), ("ab", "c")], &[("<|x|>", 3), ("ab", 5), ("<|x|>", 5)]);
    let template = string("{{ messages[0].content }}{{ pad_token is defined }}{{ unk_token is defined }}<|x|>");
    let good = with(&good, "tokenizer.chat_template", template);
    let notes = |key: &str, value: Option<Value>| {
        let tokenizer = Tokenizer::from_metadata(&with(&good, &format!("{PREFIX}{key}"), value)).unwrap();
        assert_eq!(tokenizer.encode("abc", Special::Parse).unwrap(), [257], "{key}");
        let chat = tokenizer.encode_chat(&[ChatMessage::new("user", "a")]).unwrap();
        assert_eq!(tokenizer.decode(&chat, true), "aFalseFalse", "{key}");
        assert_eq!(chat.last(), Some(&258));
        let notes = tokenizer.notes();
        assert!(notes[0].contains("2 unused tokens"), "{notes:?}");
        notes[1..].to_vec()
    };
    assert_eq!(notes("scores", None), Vec::<String>::new());
    let bad_ids = [
        Value::Signed(-1),
        Value::Unsigned(4_294_967_295),
        Value::Unsigned(261),
        Value::Unsigned(u64::MAX),
        Value::Signed(i64::MIN),
        Value::Float(1.0),
        Value::Bool(true),
        Value::String("<pad>".into()),
        Value::Array(Array::Unsigned(vec![1, 2])),
    ];
    for key in ["unknown", "padding", "seperator", "mask", "cls"] {
        for id in &bad_ids {
            let notes = notes(&format!("{key}_token_id"), Some(id.clone()));
            assert!(notes.len() == 1 && notes[0].contains(key) && notes[0].contains("nothing uses it"), "{notes:?}");
        }
    }
    for none in [Value::Signed(-1), Value::Unsigned(4_294_967_295)] {
        let notes = notes("bos_token_id", Some(none.clone()));
        assert!(notes.len() == 1 && notes[0].contains("no BOS"), "{notes:?}");
        let starts_with_bos = with(&good, &format!("{PREFIX}add_bos_token"), Some(Value::Bool(true)));
        let used = with(&starts_with_bos, &format!("{PREFIX}bos_token_id"), Some(none));
        assert!(matches!(Tokenizer::from_metadata(&used), Err(Error::Vocabulary { .. })));
    }
    for (key, value) in
        [("scores", Value::Bool(true)), ("add_space_prefix", Value::Float(0.5)), ("added_tokens", Value::Unsigned(1))]
    {
        assert_eq!(notes(key, Some(value)), Vec::<String>::new());
    }
    for merge in ["a Z0", "Z0 a", "a c", "a b c", "", " ", "ab", "a ", " b"] {
        for merges in [["a b", "ab c", merge], [merge, "a b", "ab c"]] {
            let notes = notes("merges", strings(merges));
            assert!(notes.len() == 1 && notes[0].contains("1 of 3 merges"), "{notes:?}");
        }
    }
}

/// A template that cannot be used leaves plain prompts working, and is noted too.
#[test]
fn a_template_that_cannot_be_used_is_noted() {
    let good = small("gpt-2", &[("a", "b")], &[]);
    for template in
        [Value::Unsigned(1), Value::String("{% if".into()), Value::String("{{ x".repeat(1000)), Value::Bool(false)]
    {
        let tokenizer = Tokenizer::from_metadata(&with(&good, "tokenizer.chat_template", Some(template))).unwrap();
        assert_eq!(tokenizer.encode("ab", Special::Parse).unwrap(), [256]);
        assert!(tokenizer.encode_chat(&[ChatMessage::new("user", "a")]).is_err());
        assert!(tokenizer.notes()[0].contains("chats are not possible"), "{:?}", tokenizer.notes());
    }
}

/// Special tokens by the thousand, or of megabytes: an error, or as fast and small as the text is.
#[test]
fn special_tokens_by_the_thousand_take_linear_time() {
    let tokenizer = |texts: Vec<String>| {
        let more: Vec<(&str, i64)> = texts.iter().zip(0..).map(|(text, n)| (text.as_str(), 3 + n % 2)).collect();
        Tokenizer::from_metadata(&small("gpt-2", &[("h", "i")], &more))
    };
    for bytes in [257, 100_000, 4_000_000] {
        let error = tokenizer(vec!["<".repeat(bytes)]).unwrap_err();
        assert!(matches!(&error, Error::Vocabulary { problem } if problem.contains("special token 257")), "{error}");
        assert!(error.to_string().len() < 400);
    }
    let many: Vec<String> = (0..20_000).map(|n| format!("<|{n}|>")).collect();
    // Each ends in what the others end in, as long as there may be.
    let alike = (0..2_000).map(|n| format!("{n}{}", "a".repeat(240))).chain((2..=240).map(|n| "a".repeat(n))).collect();
    for texts in [many, alike] {
        let text = texts.concat();
        let started = std::time::Instant::now();
        let tokenizer = tokenizer(texts.clone()).unwrap();
        let ids = tokenizer.encode(&text, Special::Parse).unwrap();
        assert_eq!(tokenizer.decode(&ids, false), text);
        assert!(ids.len() <= texts.len());
        assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
    }
}

/// Any metadata at all: mostly plausible, so that it gets far.
fn any_metadata() -> impl Strategy<Value = Metadata> {
    let text = prop_oneof!["[a-c]{0,3}", "<\\|[ab]\\|>", any::<String>(), Just("<|im_end|>".to_owned())];
    let merge = prop_oneof!["[a-c]{1,2} [a-c]{1,2}", any::<String>()];
    let pre = prop_oneof![
        Just("falcon".to_owned()),
        Just("llama-bpe".into()),
        Just("default".into()),
        Just("gpt-2".into()),
        any::<String>()
    ];
    let ids = proptest::collection::vec((0usize..7, 0u64..12), 0..4);
    (
        proptest::collection::hash_set(text, 0..12),
        proptest::collection::vec(merge, 0..8),
        proptest::collection::vec(0i64..7, 0..12),
        pre,
        ids,
        any::<Option<String>>(),
        any::<Option<bool>>(),
    )
        .prop_map(|(texts, merges, types, pre, ids, template, add_bos)| {
            let keys = ["bos", "eos", "eot", "eom", "unknown", "padding", "mask"];
            let types = (types.len() == texts.len()).then_some(types);
            let mut metadata = Metadata::default();
            let mut put = |key: &str, value: Option<Value>| {
                value.is_some_and(|value| metadata.insert(format!("tokenizer.{key}"), value))
            };
            put("ggml.model", string("gpt2"));
            put("ggml.pre", string(&pre));
            put("ggml.tokens", strings(texts));
            put("ggml.merges", strings(merges));
            put("ggml.token_type", types.map(|types| Value::Array(Array::Signed(types))));
            put("ggml.add_bos_token", add_bos.map(Value::Bool));
            put("chat_template", template.map(Value::String));
            for (key, id) in ids {
                put(&format!("ggml.{}_token_id", keys[key]), Some(Value::Unsigned(id)));
            }
            metadata
        })
}

/// A vocabulary with every byte, chained merges of random pairs, and some special tokens.
fn byte_complete() -> impl Strategy<Value = Metadata> {
    let pre =
        proptest::sample::select(vec!["falcon", "falcon3", "gpt-2", "olmo", "mpt", "gpt-neox", "default", "llama-bpe"]);
    let pairs = proptest::collection::vec((any::<proptest::sample::Index>(), any::<proptest::sample::Index>()), 0..40);
    let special = proptest::collection::hash_set("[<|>a-c é]{1,4}", 0..6);
    (pre, pairs, special, 3i64..5).prop_map(|(pre, pairs, special, kind)| {
        let mut known: Vec<String> = "abc<|> é\n\t1".bytes().map(|byte| vocab::stand_in(byte).to_string()).collect();
        let mut merges: Vec<(String, String)> = Vec::new();
        for (left, right) in pairs {
            let (left, right) = (left.get(&known).clone(), right.get(&known).clone());
            let union = format!("{left}{right}");
            if union.len() < 24 && !known.contains(&union) {
                known.push(union);
                merges.push((left, right));
            }
        }
        let merges: Vec<(&str, &str)> = merges.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let single = |text: &str| text.chars().count() == 1;
        let more: Vec<(&str, i64)> = special
            .iter()
            .filter(|text| !known.contains(text) && !single(text))
            .map(|text| (text.as_str(), kind))
            .collect();
        small(pre, &merges, &more)
    })
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[abc<|> é\n\t1]{0,60}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_metadata_is_an_error_or_a_tokenizer(metadata in any_metadata(), text in any_text(), ids: Vec<u32>) {
        if let Ok(tokenizer) = Tokenizer::from_metadata(&metadata) {
            for special in [Special::Parse, Special::Plain] {
                let encoded = tokenizer.encode_prompt(&text, special).unwrap();
                prop_assert!(encoded.iter().all(|id| (*id as usize) < tokenizer.vocab_size()));
                tokenizer.decode(&encoded, true);
            }
            tokenizer.decode(&ids, false);
            let _ = tokenizer.encode_chat(&[ChatMessage::new("user", text)]);
        }
    }

    #[test]
    fn decoding_undoes_encoding(metadata in byte_complete(), text in any_text()) {
        let tokenizer = Tokenizer::from_metadata(&metadata).unwrap();
        for special in [Special::Parse, Special::Plain] {
            let ids = tokenizer.encode(&text, special).unwrap();
            prop_assert_eq!(&tokenizer.decode(&ids, false), &text);
            prop_assert!(special == Special::Parse || !ids.iter().any(|id| tokenizer.is_control(*id)));
        }
    }

    #[test]
    fn chats_have_the_templates_control_tokens_only(metadata in byte_complete(), content in any_text()) {
        let metadata = with(&metadata, "tokenizer.chat_template", string("{{ messages[0].content }}\n"));
        let tokenizer = Tokenizer::from_metadata(&metadata).unwrap();
        let ids = tokenizer.encode_chat(&[ChatMessage::new("user", content.clone())]).unwrap();
        prop_assert_eq!(&tokenizer.decode(&ids, false), &content);
        prop_assert!(!ids.iter().any(|id| tokenizer.is_control(*id)));
    }
}
