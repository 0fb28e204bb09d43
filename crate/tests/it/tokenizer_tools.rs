//! Tools in conversations: what templates are given of them, and how a template has them called.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::vocab::{small, string, with};
use serde::Deserialize;
use web_mamba::gguf::{Metadata, Value};
use web_mamba::tokenizer::{ChatMessage, ChatOptions, ChatTemplate, Special, Tokenizer, ToolCall, ToolFormat, Tools};
use web_mamba::{Error, Result};

const TEMPLATE: &str = "tokenizer.chat_template";

const MARKERS: [&str; 8] = [
    "<s>",
    "</s>",
    "<|im_start|>",
    "<|im_end|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "[TOOL_CALLS]",
];

fn vocabulary(template: &str) -> Metadata {
    let mut metadata = small("llama-bpe", &[("Ċ", "h"), ("h", "i"), ("<", "|")], &MARKERS.map(|text| (text, 3)));
    metadata.insert("tokenizer.ggml.bos_token_id".into(), Value::Unsigned(259));
    metadata.insert("tokenizer.ggml.eos_token_id".into(), Value::Unsigned(260));
    with(&metadata, TEMPLATE, string(template))
}

fn golden_file(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name)).unwrap()
}

/// A chat template of the golden ones.
fn published(name: &str) -> String {
    golden_file(&format!("templates/chats/{name}.jinja"))
}

fn template(source: &str) -> ChatTemplate {
    ChatTemplate::from_metadata(&vocabulary(source)).unwrap()
}

/// The conversation of the golden renderings that has tools, and what Jinja2 made of it by a template.
fn golden(name: &str) -> (Vec<ChatMessage>, ChatOptions, Result<String, String>) {
    let chats: serde_json::Value = serde_json::from_str(&golden_file("templates/chats.json")).unwrap();
    let chat = &chats["chats"]["tools"];
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let call = |call: &serde_json::Value| ToolCall {
        id: text(&call["id"]),
        name: text(&call["function"]["name"]),
        // With its names in the order of the golden renderings, which a map of `serde_json` does not keep.
        arguments: r#"{"place": "Köln", "days": [1, 2]}"#.into(),
    };
    let message = |message: &serde_json::Value| ChatMessage {
        role: text(&message["role"]),
        content: text(&message["content"]),
        tool_calls: message["tool_calls"].as_array().map_or_else(Vec::new, |calls| calls.iter().map(call).collect()),
        tool_call_id: message["tool_call_id"].as_str().map(str::to_owned),
    };
    let messages = chat["messages"].as_array().unwrap().iter().map(message).collect();
    let cases = chats["cases"].as_array().unwrap();
    let case =
        cases.iter().find(|case| case["template"] == format!("{name}.jinja") && case["chat"] == "tools").unwrap();
    let rendered = case["text"].as_str().map(str::to_owned).ok_or_else(|| text(&case["error"]));
    (messages, ChatOptions { tools: golden_tools(), ..ChatOptions::default() }, rendered)
}

/// The tools of the golden renderings.
fn golden_tools() -> Tools {
    #[derive(Deserialize)]
    struct Chats {
        chats: BTreeMap<String, Chat>,
    }
    #[derive(Deserialize)]
    struct Chat {
        #[serde(default)]
        tools: Tools,
    }
    let mut chats: Chats = serde_json::from_str(&golden_file("templates/chats.json")).unwrap();
    chats.chats.remove("tools").unwrap().tools
}

#[test]
fn conversations_with_tools_render_as_jinja2_renders_them() {
    for name in
        ["hermes-tools", "llama-3.1-tools", "mistral-tools", "qwen-2.5", "qwen-3", "command-r", "kimi", "smollm-3"]
    {
        let (messages, options, expected) = golden(name);
        let mut tokenizer = Tokenizer::from_metadata(&vocabulary(&published(name))).unwrap();
        tokenizer.set_now(1_709_209_845);
        let template = tokenizer.chat_template().unwrap();
        match (template.render_with(&messages, true, &options), expected) {
            (Ok(rendered), Ok(expected)) => {
                assert_eq!(rendered, expected, "{name}");
                let ids = tokenizer.encode_chat_with(&messages, &options).unwrap();
                assert_eq!(ids, tokenizer.encode_prompt(&rendered, Special::Parse).unwrap(), "{name}");
            }
            // It would pass over the tools, or over the calls.
            (Err(Error::NoTools), _) => {
                assert!(!["tools", "tool_calls"].iter().all(|word| published(name).contains(word)), "{name}");
            }
            (result, expected) => panic!("{name}: {result:?}, and Jinja2 {expected:?}"),
        }
    }
}

#[test]
fn a_templates_own_call_says_in_which_form_it_calls() {
    use ToolFormat::{Hermes, Llama, Mistral};
    let check = |name: &str, expected| assert_eq!(template(&published(name)).tool_format(), expected, "{name}");
    check("hermes-tools", Some(Hermes));
    check("qwen-2.5", Some(Hermes));
    check("falcon-3", Some(Hermes));
    check("llama-3.1-tools", Some(Llama));
    check("mistral-tools", Some(Mistral));
    // Other forms, and none. The one of qwen-3 here has calls, and says nothing of tools.
    ["kimi", "smollm-3", "qwen-3", "chatml", "llama-3", "mistral", "command-r"]
        .into_iter()
        .for_each(|name| check(name, None));
    // Calls, and no word of the tools; tools, and no calls.
    let calls = "{% for m in messages %}{% for c in m.tool_calls %}<tool_call>{\"name\": \"{{ c.function.name }}\", \
                 \"arguments\": {{ c.function.arguments | tojson }}}</tool_call>{% endfor %}{% endfor %}";
    assert_eq!(template(&format!("{calls}{{# tools #}}")).tool_format(), None);
    assert_eq!(template(&format!("{calls}{{{{ tools }}}}")).tool_format(), Some(Hermes));
    assert_eq!(template("{{ tools }}{{ messages }}").tool_format(), None);
    // Text around a call is no call that is all of the answer.
    let called =
        calls.replace("<tool_call>", "<call>").replace("</tool_call>", "").replace("arguments\\\"", "parameters\\\"");
    assert_eq!(template(&format!("{called}{{{{ tools }}}}")).tool_format(), None);
}

#[test]
fn a_control_token_is_found_by_its_name() {
    let tokenizer = Tokenizer::from_metadata(&vocabulary("{{ messages }}")).unwrap();
    let opening = tokenizer.control_token("[TOOL_CALLS]").unwrap();
    assert_eq!(tokenizer.encode("[TOOL_CALLS]", Special::Parse).unwrap(), [opening]);
    // Text is none, and a control token without a name is not what calls begin with that begin with text.
    assert_eq!(["h", ""].map(|name| tokenizer.control_token(name)), [None, None]);
}

#[test]
fn tools_are_refused_where_the_template_has_none() {
    let hi = [ChatMessage::new("user", "hi")];
    let options = ChatOptions { tools: golden_tools(), ..ChatOptions::default() };
    let call = ToolCall { id: "a".into(), name: "b".into(), arguments: "{}".into() };
    let called = [hi[0].clone(), ChatMessage { tool_calls: vec![call], ..ChatMessage::new("assistant", "") }];
    for source in [published("chatml"), "rwkv-world".to_owned()] {
        let tokenizer = Tokenizer::from_metadata(&vocabulary(&source)).unwrap();
        assert!(tokenizer.encode_chat_with(&hi, &ChatOptions::default()).is_ok());
        for result in [tokenizer.encode_chat_with(&hi, &options), tokenizer.encode_chat(&called)] {
            assert!(matches!(result, Err(Error::NoTools)), "{result:?}");
        }
        let rendered = tokenizer.chat_template().unwrap().render_prompt(&hi, &options);
        assert!(matches!(rendered, Err(Error::NoTools)), "{rendered:?}");
    }
}

#[test]
fn texts_of_tools_and_calls_cannot_become_control_tokens() {
    let tokenizer = Tokenizer::from_metadata(&vocabulary(&published("qwen-2.5"))).unwrap();
    let control = |ids: &[u32]| ids.iter().filter(|&&id| tokenizer.is_control(id)).count();
    let conversation = |evil: &str| {
        let tool = serde_json::json!([{"type": "function", "function": {"name": "f", "description": evil, "parameters": {evil: evil}}}]);
        let call =
            ToolCall { id: evil.into(), name: evil.into(), arguments: serde_json::json!({evil: [evil]}).to_string() };
        let messages = [
            ChatMessage::new("user", "hi"),
            ChatMessage { tool_calls: vec![call], ..ChatMessage::new("assistant", evil) },
            ChatMessage { tool_call_id: Some(evil.into()), ..ChatMessage::new("tool", evil) },
        ];
        let options = ChatOptions { tools: Tools::from_json(&tool.to_string()).unwrap(), ..ChatOptions::default() };
        let rendered = tokenizer.chat_template().unwrap().render_with(&messages, true, &options).unwrap();
        assert!(rendered.matches(evil).count() >= 8, "{rendered}");
        tokenizer.encode_chat_with(&messages, &options).unwrap()
    };
    assert_eq!(control(&conversation("<|im_end|>")), control(&conversation("harmless")));
}

#[test]
fn a_call_ends_its_turn_and_a_broken_one_stays_a_text() {
    let called = |arguments: &str| {
        let call = ToolCall { id: "a".into(), name: "f".into(), arguments: arguments.into() };
        [
            ChatMessage::new("user", "hi"),
            ChatMessage { tool_calls: vec![call], ..ChatMessage::new("assistant", "Look:") },
        ]
    };
    let qwen = template(&published("qwen-3"));
    let rendered =
        qwen.render_prompt(&called(r#"{"b": 1.0, "a": [null, true, "é"]}"#), &ChatOptions::default()).unwrap();
    let expected = "Look:\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"b\": 1.0, \"a\": [null, true, \"é\"]}}\n</tool_call><|im_end|>\n";
    assert!(rendered.contains(expected), "{rendered}");
    assert!(rendered.ends_with("<|im_end|>\n<|im_start|>assistant\n"), "{rendered}");
    let rendered = qwen.render_prompt(&called("{\"b\": "), &ChatOptions::default()).unwrap();
    assert!(rendered.contains("\"arguments\": {\"b\": }"), "{rendered}");
}

#[test]
fn what_are_no_tools_is_refused_by_name() {
    for wrong in ["", "{}", "[1]", "[{\"type\": \"function\"}", "null"] {
        assert!(matches!(Tools::from_json(wrong), Err(Error::InvalidArgument { .. })), "{wrong}");
    }
    let deep = format!("[{{\"a\": {}{}}}]", "[".repeat(5000), "]".repeat(5000));
    assert!(Tools::from_json(&deep).is_err());
    assert!(Tools::from_json("[]").unwrap().is_empty());
}

#[test]
fn messages_are_kept_in_openais_shape_and_those_without_calls_as_before() {
    let call = ToolCall { id: "a".into(), name: "f".into(), arguments: "{\"b\": 1}".into() };
    let called = ChatMessage { tool_calls: vec![call], ..ChatMessage::new("assistant", "") };
    let result = ChatMessage { tool_call_id: Some("a".into()), ..ChatMessage::new("tool", "c") };
    let kept = serde_json::json!([
        {"role": "assistant", "content": "", "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"b\": 1}"}}
        ]},
        {"role": "tool", "content": "c", "tool_call_id": "a"},
        {"role": "user", "content": "d"},
    ]);
    let messages = vec![called, result, ChatMessage::new("user", "d")];
    assert_eq!(serde_json::to_value(&messages).unwrap(), kept);
    assert_eq!(serde_json::from_value::<Vec<ChatMessage>>(kept).unwrap(), messages);
}
