//! Answers of tiny models with random weights, which no likelihood leads: at temperature 1 each is JSON that its schema describes.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::rc::Rc;

use pollster::block_on;
use serde_json::{Value, json};
use web_mamba::{
    Activations, Allowed, BackendChoice, ByteSource, Constraint, Error, Event, FileSource, GenerateOptions, Generation,
    LoadOptions, Model, Prompt, Result, SamplerOptions, StopReason, TokenMask,
};
use web_mamba_grammar::{Form, Grammars, Mask, TokenMatcher, Vocabulary};

/// A model with a BPE vocabulary, and one with an RWKV vocabulary.
const MODELS: [&str; 2] = ["mamba-tiny-Q4_K_M.gguf", "rwkv7-a-Q8_0.gguf"];

struct Matching(TokenMatcher);

impl Constraint for Matching {
    fn allowed(&mut self) -> Result<Allowed> {
        let Mask { words, may_end } = self.0.allowed().map_err(|problem| Error::Grammar { problem })?;
        Ok(Allowed { tokens: TokenMask::new(words), may_end })
    }

    fn take(&mut self, token: u32) -> Result<()> {
        self.0.take(token).map_err(|problem| Error::Grammar { problem })
    }
}

fn load(name: &str) -> Model {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/models").join(name);
    let source: Rc<dyn ByteSource> = Rc::new(FileSource::open(&path).unwrap());
    let options = LoadOptions { backend: BackendChoice::Cpu, activations: Some(Activations::Q8), ..Default::default() };
    block_on(Model::load(vec![source], &options, &mut |_, _| {})).unwrap()
}

fn grammars(model: &Model) -> Grammars {
    let table = model.tokenizer().unwrap().token_table();
    Grammars::new(&Vocabulary::from_table(&table).unwrap()).unwrap()
}

/// The text of an answer, and why it ended.
fn answer(model: &mut Model, matcher: &TokenMatcher, seed: u64, temperature: f32) -> (String, StopReason) {
    let hot = SamplerOptions { top_k: 0, top_p: 1.0, min_p: 0.0, ..Default::default() };
    let sampler = SamplerOptions { temperature, seed: Some(seed), ..hot };
    let options = GenerateOptions { sampler, max_tokens: 4000, reuse: false, ..Default::default() };
    let mut generation = Generation::new(model, &Prompt::Text("JSON".into()), options).unwrap();
    generation.constrain(model, 0, Box::new(Matching(matcher.clone())), 0).unwrap();
    let mut all = String::new();
    while let Some(event) = block_on(generation.next(model)).unwrap() {
        match event {
            Event::Token { text, .. } => all += &text,
            Event::End { text, stop, .. } => return (all + &text, stop),
            Event::Prefill { .. } => {}
        }
    }
    panic!("there is an end");
}

/// Texts and lists have bounds, since a model without sense would fill any room.
fn schemas() -> Vec<Value> {
    let text = |most: u32| json!({ "type": "string", "maxLength": most });
    let whole = json!({ "type": "integer", "minimum": -1000, "maximum": 1000 });
    let part = json!({ "type": "number", "minimum": 0, "maximum": 1 });
    let object = |properties: Value, required: Value| json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    vec![
        json!({ "type": "boolean" }),
        json!({ "enum": ["red", "green", "blue", 7, null, true] }),
        json!({ "const": { "a": [1, 2, "drei"] } }),
        whole.clone(),
        json!({ "type": "integer", "multipleOf": 5, "minimum": 0, "maximum": 500 }),
        json!({ "type": "number", "exclusiveMinimum": -2.5, "exclusiveMaximum": 2.5 }),
        text(12),
        json!({ "type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$" }),
        json!({ "type": "string", "format": "date" }),
        json!({ "type": "string", "enum": ["größe", "naïve", "日本語", "🙂", "a\"b\\c\n"] }),
        json!({ "type": "array", "items": { "type": "integer", "minimum": 0, "maximum": 9 }, "minItems": 2, "maxItems": 5 }),
        json!({ "type": "array", "prefixItems": [{ "type": "boolean" }, text(4)], "items": false, "minItems": 2 }),
        object(json!({ "name": text(10), "age": whole }), json!(["name", "age"])),
        object(json!({ "a": whole, "b": text(5), "c": { "type": "null" } }), json!([])),
        object(json!({ "p": part, "q": { "type": ["string", "null"], "maxLength": 3 } }), json!(["q"])),
        object(
            json!({ "x": object(json!({ "y": object(json!({ "z": { "type": "boolean" } }), json!(["z"])) }), json!(["y"])) }),
            json!(["x"]),
        ),
        json!({
            "type": "object", "additionalProperties": false, "required": ["left", "right"],
            "properties": { "left": { "$ref": "#/$defs/leaf" }, "right": { "$ref": "#/$defs/leaf" } },
            "$defs": { "leaf": { "type": "object", "properties": { "value": whole }, "required": ["value"], "additionalProperties": false } },
        }),
        json!({ "anyOf": [{ "type": "integer", "minimum": 0, "maximum": 9 }, object(json!({ "error": text(8) }), json!(["error"]))] }),
        object(
            json!({ "items": { "type": "array", "maxItems": 3, "items": object(json!({ "kind": { "enum": ["a", "b"] }, "n": part }), json!(["kind", "n"])) } }),
            json!(["items"]),
        ),
        object(
            json!({ "größe": { "enum": ["klein", "groß"] }, "tags": { "type": "array", "items": text(6), "maxItems": 2 } }),
            json!(["größe", "tags"]),
        ),
    ]
}

#[test]
fn every_answer_is_what_its_schema_describes() {
    let schemas = schemas();
    assert_eq!(schemas.len(), 20);
    for name in MODELS {
        let mut model = load(name);
        let grammars = grammars(&model);
        for schema in &schemas {
            let matcher = grammars.matcher(Form::JsonSchema(&schema.to_string())).unwrap();
            let validator = jsonschema::validator_for(schema).unwrap();
            for seed in 0..50 {
                let (text, stop) = answer(&mut model, &matcher, seed, 1.0);
                assert_eq!(stop, StopReason::Eos, "{name}, {schema}, seed {seed}: {text:?}");
                let value: Value = serde_json::from_str(&text)
                    .unwrap_or_else(|error| panic!("{name}, {schema}, seed {seed}: {error} in {text:?}"));
                assert!(validator.is_valid(&value), "{name}, seed {seed}: {text} is not of {schema}");
            }
        }
    }
}

#[test]
fn expressions_and_grammars_are_followed() {
    for name in MODELS {
        let mut model = load(name);
        let grammars = grammars(&model);
        let date = grammars.matcher(Form::Regex("(yes|no), [0-9]{1,3}/x")).unwrap();
        let sum = grammars.matcher(Form::Lark("start: NUMBER (\"+\" NUMBER)~2\nNUMBER: /[1-9][0-9]?/")).unwrap();
        for seed in 0..10 {
            for temperature in [0.0, 1.0] {
                let (text, stop) = answer(&mut model, &date, seed, temperature);
                let (word, number) = text.split_once(", ").unwrap();
                let number = number.strip_suffix("/x").unwrap();
                assert!(["yes", "no"].contains(&word) && number.parse::<u32>().unwrap() < 1000, "{text}");
                assert_eq!(stop, StopReason::Eos);
                let (text, stop) = answer(&mut model, &sum, seed, temperature);
                let numbers: Vec<u32> = text.split('+').map(|number| number.parse().unwrap()).collect();
                assert!(numbers.len() == 3 && numbers.iter().all(|number| (1..100).contains(number)), "{text}");
                assert_eq!(stop, StopReason::Eos);
            }
        }
    }
}

/// Where more may follow, the model ends the answer itself.
#[test]
fn an_answer_that_may_go_on_ends_by_the_models_will() {
    for name in MODELS {
        let mut model = load(name);
        let matcher = grammars(&model).matcher(Form::Regex("[a-z]+")).unwrap();
        for seed in 0..5 {
            let (text, stop) = answer(&mut model, &matcher, seed, 1.0);
            assert!(!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase()), "{name}: {text:?}");
            assert!(matches!(stop, StopReason::Eos | StopReason::Length));
        }
    }
}

#[test]
fn what_cannot_be_followed_is_said_by_name() {
    let model = load(MODELS[0]);
    let grammars = grammars(&model);
    let problem = |form: Form<'_>| grammars.matcher(form).map(|_| ()).unwrap_err();
    let cases = [
        (Form::JsonSchema("{\"type\": \"object\", \"unevaluatedProperties\": false}"), "unevaluatedProperties"),
        (Form::JsonSchema("{\"not\": {\"type\": \"string\"}}"), "not"),
        (Form::JsonSchema("{\"type\": \"strin\"}"), "strin"),
        (Form::JsonSchema("{\"$ref\": \"https://example.org/a.json\"}"), "example.org"),
        (Form::JsonSchema("{"), "no JSON"),
        (Form::JsonSchema("false"), "nothing fits"),
        (Form::JsonSchema("[1]"), "object"),
        (Form::JsonSchema("{\"type\": \"integer\", \"minimum\": 5, \"maximum\": 4}"), "5"),
        (Form::Regex("(a"), "("),
        (Form::Regex("a(?=b)"), "look"),
        (Form::Lark("start: unknown"), "unknown"),
        (Form::Lark(""), "start"),
    ];
    for (form, word) in cases {
        let said = problem(form);
        assert!(said.contains(word), "{form:?}: {said}");
        assert!(!said.contains("non-verbose") && !said.contains("backtrace") && !said.is_empty(), "{said}");
    }
}

#[test]
fn a_vocabulary_is_read_or_refused() {
    let model = load(MODELS[1]);
    let table = model.tokenizer().unwrap().token_table();
    assert_eq!(Vocabulary::from_table(&table).unwrap().len(), model.tokenizer().unwrap().vocab_size());
    for cut in [0, 3, 4, 100, table.len() - 1] {
        assert!(Vocabulary::from_table(&table[..cut]).is_err(), "{cut} bytes");
    }
    assert!(Vocabulary::from_table(&[table.as_slice(), b"x"].concat()).is_err());
    assert!(Vocabulary::from_table(&[255; 40]).is_err());
}

/// Every mask has all tokens that the text may go on with, and no other: held to a matcher that is asked byte by byte.
#[test]
fn masks_are_those_of_the_vocabulary() {
    for name in MODELS {
        let model = load(name);
        let tokenizer = model.tokenizer().unwrap();
        let mut matcher = grammars(&model).matcher(Form::Regex("[a-e]{1,3}( [0-9]+)?")).unwrap();
        let mask = matcher.allowed().unwrap();
        assert!(!mask.may_end);
        let tokens = TokenMask::new(mask.words);
        for id in 0..tokenizer.vocab_size() as u32 {
            let bytes = tokenizer.token_bytes(id);
            let letters = bytes.iter().take_while(|byte| (b'a'..=b'e').contains(byte)).count();
            let rest = &bytes[letters..];
            let follows = rest.is_empty() || (rest[0] == b' ' && rest[1..].iter().all(u8::is_ascii_digit));
            let expected = !tokenizer.is_control(id) && (1..=3).contains(&letters) && follows;
            assert_eq!(tokens.contains(id), expected, "{name}: token {id}, {:?}", String::from_utf8_lossy(bytes));
        }
    }
}
