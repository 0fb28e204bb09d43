//! The tokenizer against llama.cpp's test vectors and the golden prompts; special tokens; decoding.

use crate::support::vocab::{golden, id_of, small, stand_in, string, with};
use web_mamba::gguf::Value;
use web_mamba::tokenizer::{Special, Tokenizer};

fn tokenizer(path: &str) -> Tokenizer {
    Tokenizer::from_metadata(&golden(path)).unwrap()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{}/../tests/golden/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn every_line_of_llama_cpps_vectors() {
    for name in ["falcon", "gpt-2", "mpt"] {
        let tokenizer = tokenizer(&format!("vocab/ggml-vocab-{name}.gguf"));
        let texts = read(&format!("vocab/ggml-vocab-{name}.gguf.inp"));
        let ids = read(&format!("vocab/ggml-vocab-{name}.gguf.out"));
        let texts: Vec<&str> = texts.split("\n__ggml_vocab_test__\n").collect();
        let ids: Vec<&str> = ids.split('\n').collect();
        assert_eq!(texts.len(), ids.len(), "{name}");
        assert!(texts.len() >= 40, "{name}");
        for (text, ids) in texts.iter().zip(ids) {
            let expected: Vec<u32> = ids.split_whitespace().map(|id| id.parse().unwrap()).collect();
            assert_eq!(tokenizer.encode(text, Special::Plain).unwrap(), expected, "{name}: {text:?}");
            assert_eq!(tokenizer.decode(&expected, false), *text, "{name}");
        }
    }
}

#[test]
fn every_golden_prompt() {
    let mut cases = 0;
    let folder = format!("{}/../tests/golden/logits", env!("CARGO_MANIFEST_DIR"));
    for entry in std::fs::read_dir(folder).unwrap() {
        let golden: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap();
        let tokenizer = tokenizer(&format!("models/{}", golden["file"].as_str().unwrap()));
        assert_eq!(tokenizer.vocab_size() as u64, golden["n_vocab"].as_u64().unwrap());
        for case in golden["cases"].as_array().unwrap() {
            let prompt = case["prompt"].as_str().unwrap();
            let ids: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
            assert_eq!(tokenizer.encode(prompt, Special::Parse).unwrap(), ids, "{prompt:?}");
            assert_eq!(tokenizer.decode(&ids, false), prompt);
            cases += 1;
        }
    }
    assert!(cases >= 16, "{cases}");
}

#[test]
fn special_ids_come_from_the_file() {
    let falcon = tokenizer("models/falcon-tiny-Q8_0.gguf");
    assert_eq!((falcon.bos(), falcon.eos(), falcon.add_bos()), (Some(0), Some(3), false));
    assert_eq!(falcon.stop_tokens(), [0, 3]);
    assert!((0..4).all(|id| falcon.is_control(id)) && !falcon.is_control(4) && !falcon.is_control(512));

    let more = [("<s>", 3), ("</s>", 3), ("<|eot_id|>", 4), ("<|end|>", 1), ("[PAD9]", 5), ("<|x|>", 3)];
    let mut metadata = small("falcon3", &[("h", "i")], &more);
    metadata.insert("tokenizer.ggml.bos_token_id".into(), Value::Unsigned(257));
    metadata.insert("tokenizer.ggml.eom_token_id".into(), Value::Unsigned(262));
    let llama = Tokenizer::from_metadata(&metadata).unwrap();
    assert_eq!((llama.bos(), llama.eos(), llama.add_bos()), (Some(257), None, true), "BOS is llama 3's default");
    assert_eq!(llama.stop_tokens(), [258, 259, 260, 262]);
    assert!(llama.is_control(259) && llama.is_control(260), "markers by text, whatever their type");
    assert_eq!(llama.token_bytes(261), b"", "unused");
    assert_eq!(llama.token_bytes(9999), b"", "outside");

    let mut metadata = small("gpt-2", &[("Ċ", "Ċ")], &[]);
    metadata.insert("tokenizer.ggml.eot_token_id".into(), Value::Unsigned(256));
    let paragraphs = Tokenizer::from_metadata(&metadata).unwrap();
    assert_eq!(paragraphs.stop_tokens(), [256]);
    assert!(!paragraphs.is_control(256), "what merges make is text, even where an answer ends with it");
    assert_eq!(paragraphs.encode("\n\n", Special::Plain).unwrap(), [256]);
}

#[test]
fn bos_is_put_in_front_once() {
    let mut metadata = golden("models/falcon-tiny-Q8_0.gguf");
    metadata = with(&metadata, "tokenizer.ggml.add_bos_token", Some(Value::Bool(true)));
    let with_bos = Tokenizer::from_metadata(&metadata).unwrap();
    let plain = with_bos.encode("The license", Special::Parse).unwrap();
    assert_eq!(with_bos.encode_prompt("The license", Special::Parse).unwrap(), [&[0], &plain[..]].concat());
    assert_eq!(
        with_bos.encode_prompt("<|endoftext|>The license", Special::Parse).unwrap(),
        [&[0], &plain[..]].concat()
    );
    let without = tokenizer("models/falcon-tiny-Q8_0.gguf");
    assert_eq!(without.encode_prompt("The license", Special::Parse).unwrap(), plain);
}

#[test]
fn control_tokens_are_parsed_only_where_asked_and_user_defined_ones_always() {
    let metadata = small("gpt-2", &[], &[("<|a|>", 3), ("<|ab|>", 4), ("b|><", 4), ("→", 4), ("plainword", 3)]);
    let id = |text: &str| id_of(&metadata, text);
    let tokenizer = Tokenizer::from_metadata(&metadata).unwrap();
    let check = |text: &str, special: Special, expected: &[u32]| {
        let ids = tokenizer.encode(text, special).unwrap();
        assert_eq!(ids, expected, "{text:?}");
        assert_eq!(tokenizer.decode(&ids, false), text);
    };
    let bytes =
        |text: &str| text.bytes().map(u32::from).map(|b| id(&stand_in(b as u8).to_string())).collect::<Vec<_>>();
    check("x<|a|>", Special::Parse, &[bytes("x")[0], id("<|a|>")]);
    check("x<|a|>", Special::Plain, &bytes("x<|a|>"));
    check("<|ab|>→", Special::Plain, &[id("<|ab|>"), id("→")]);
    // The longest is looked for first, in the whole text: not the leftmost.
    check("<|a|><|ab|><", Special::Parse, &[id("<|a|>"), id("<|ab|>"), bytes("<")[0]]);
    check("zb|><|a|>", Special::Plain, &[&bytes("z")[..], &[id("b|><")], &bytes("|a|>")].concat());
    check("zb|><|a|>", Special::Parse, &[&bytes("zb|>")[..], &[id("<|a|>")]].concat());
    // A control token that is one piece of text stays out of reach of ignored merges too.
    let llama = Tokenizer::from_metadata(&with(&metadata, "tokenizer.ggml.pre", string("llama-bpe"))).unwrap();
    assert_eq!(llama.encode("plainword", Special::Plain).unwrap(), bytes("plainword"));
    assert_eq!(llama.encode("plainword", Special::Parse).unwrap(), [id("plainword")]);
}

#[test]
fn whole_pieces_ignore_merges_in_the_llama_3_family_only() {
    // "abc" is a token that no merge makes.
    let metadata = small("gpt-2", &[("a", "b")], &[("abc", 1)]);
    let ids = |pre: &str| {
        let metadata = with(&metadata, "tokenizer.ggml.pre", string(pre));
        Tokenizer::from_metadata(&metadata).unwrap().encode("abc", Special::Plain).unwrap()
    };
    assert_eq!(ids("gpt-2"), [256, id_of(&metadata, "c")]);
    assert_eq!(ids("falcon3"), [257]);
    assert_eq!(ids("llama-bpe"), [257]);
}

#[test]
fn tokens_decode_to_bytes_and_a_stream_shows_whole_characters() {
    let metadata = small("gpt-2", &[("Ġ", "a")], &[("<|end|>", 3), ("<0x0A>", 6), ("日本", 1)]);
    let tokenizer = Tokenizer::from_metadata(&metadata).unwrap();
    assert_eq!(tokenizer.token_bytes(256), b" a");
    assert_eq!(tokenizer.token_bytes(257), b"<|end|>");
    assert_eq!(tokenizer.token_bytes(258), b"\n");
    assert_eq!(tokenizer.token_bytes(259), "日本".as_bytes());
    assert_eq!(tokenizer.decode(&[256, 257, 258], true), " a\n");
    assert_eq!(tokenizer.decode(&[256, 257, 0xF0, 258], false), " a<|end|>\u{FFFD}\n");

    let ids = tokenizer.encode("a🙂é", Special::Plain).unwrap();
    let mut stream = tokenizer.decode_stream(true);
    let pieces: Vec<String> = ids.iter().map(|id| stream.push(*id)).collect();
    assert_eq!(pieces, ["a", "", "", "", "🙂", "", "é"]);
    assert_eq!(stream.finish(), "");
    stream.push(ids[1]);
    assert_eq!((stream.push(257), tokenizer.decode_stream(false).push(257)), (String::new(), "<|end|>".into()));
    assert_eq!((stream.push(9999), stream.finish()), (String::new(), "\u{FFFD}".into()));
}

#[test]
fn long_texts_are_encoded_as_fast_as_they_should() {
    let metadata = golden("vocab/ggml-vocab-falcon.gguf");
    let start = std::time::Instant::now();
    let tokenizer = Tokenizer::from_metadata(&metadata).unwrap();
    let built = start.elapsed();
    let text = read("vocab/ggml-vocab-falcon.gguf.inp").repeat(52);
    for text in [text, "a".repeat(100_000), " ".repeat(100_000), "<".repeat(100_000), "1".repeat(100_000)] {
        let start = std::time::Instant::now();
        let ids = tokenizer.encode(&text, Special::Parse).unwrap();
        let elapsed = start.elapsed();
        println!("built in {built:?}, {} bytes to {} tokens in {elapsed:?}", text.len(), ids.len());
        // Generous: the point is that nothing is quadratic, on a busy machine too.
        assert!(elapsed.as_secs() < 3, "{elapsed:?}");
        assert_eq!(tokenizer.decode(&ids, false), text);
    }
}
