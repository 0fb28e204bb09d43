#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/templates")
}

fn golden<T: for<'de> Deserialize<'de>>(name: &str) -> T {
    serde_json::from_str(&std::fs::read_to_string(folder().join(name)).unwrap()).unwrap()
}

fn entries(input: Input) -> Vec<(String, Input)> {
    match input {
        Input::Map(entries) => entries,
        other => panic!("{other:?}"),
    }
}

fn render(source: &str, context: &[(String, Input)], now: Option<i64>) -> crate::error::Result<String> {
    let context: Vec<_> = context.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    Template::new(source)?.render(&context, RenderOptions { now, mark: None })
}

fn problem(source: &str) -> String {
    match render(source, &[], None) {
        Err(Error::ChatTemplate { problem }) => problem,
        other => panic!("{other:?}"),
    }
}

/// What Jinja2 made of a template.
#[derive(Deserialize)]
struct Case {
    template: String,
    #[serde(default)]
    chat: String,
    text: Option<String>,
    error: Option<String>,
}

impl Case {
    /// The difference to what comes out here, if there is one.
    fn difference(&self, result: &crate::error::Result<String>) -> Option<String> {
        match (result, &self.text) {
            (Ok(found), Some(expected)) if found == expected => None,
            (Err(_), None) => None,
            (found, _) => Some(format!(
                "{} {}\n  here   {found:?}\n  Jinja2 {:?}{:?}",
                self.template,
                self.chat,
                self.text.as_deref().unwrap_or_default(),
                self.error.as_deref().unwrap_or_default()
            )),
        }
    }
}

#[test]
fn short_templates_render_as_jinja2s() {
    #[derive(Deserialize)]
    struct Pieces {
        context: Input,
        now: i64,
        cases: Vec<Case>,
    }
    let pieces: Pieces = golden("pieces.json");
    let context = entries(pieces.context);
    assert!(pieces.cases.len() > 150);
    for case in pieces.cases.iter().filter(|case| case.text.is_some()) {
        assert!(Template::new(&case.template).unwrap().check_names().is_ok(), "{}", case.template);
    }
    let results = pieces.cases.iter().map(|case| (case, render(&case.template, &context, Some(pieces.now))));
    let differences: Vec<_> = results.filter_map(|(case, result)| case.difference(&result)).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn whole_chat_templates_render_as_jinja2s() {
    #[derive(Deserialize)]
    struct Chats {
        chats: Input,
        now: i64,
        cases: Vec<Case>,
    }
    let golden: Chats = golden("chats.json");
    let chats = entries(golden.chats);
    assert!(golden.cases.len() > 200);
    let text = |text: &str| Input::Text(text.into());
    let differences: Vec<_> = golden
        .cases
        .iter()
        .filter_map(|case| {
            let source = std::fs::read_to_string(folder().join("chats").join(&case.template)).unwrap();
            let mut context = vec![
                ("bos_token".to_owned(), text("<s>")),
                ("eos_token".to_owned(), text("</s>")),
                ("tools".to_owned(), Input::None),
                ("documents".to_owned(), Input::None),
                ("add_generation_prompt".to_owned(), Input::Bool(true)),
            ];
            let (_, chat) = chats.iter().find(|(name, _)| *name == case.chat).unwrap();
            // Later entries count.
            context.extend(entries(chat.clone()));
            case.difference(&render(&source, &context, Some(golden.now)))
        })
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn names_that_nothing_has_are_found_before_a_template_runs() {
    let missing = |source: &str| match Template::new(source).unwrap().check_names() {
        Ok(()) => String::new(),
        Err(Error::ChatTemplate { problem }) => problem,
        Err(other) => panic!("{other:?}"),
    };
    let check = |source: &str, expected: &str| assert_eq!(missing(source), expected, "{source}");
    check(
        "a\n{% for m in messages %}\n{{ m.content | trim | trimm }}{% endfor %}",
        "there is no filter named `trimm` (line 3)",
    );
    check("{% if false %}{% filter shout %}a{% endfilter %}{% endif %}", "there is no filter named `shout` (line 1)");
    check("{% set x | a.b %}{% endset %}", "there is no filter named `a.b` (line 1)");
    check("{{ 1 is not prime }}", "there is no test named `prime` (line 1)");
    check("\n{{ [1] | map('trim') | now() }}", "there is no filter named `now` (line 2)");
    check("{% macro m(f) %}{{ f() }}{{ g(1) }}{% endmacro %}{{ m(range) }}", "there is no function named `g` (line 1)");
    check("{{ range(2) }}{{ strftime_now('%Y') }}{{ raise_exception('') if false }}", "");
    check(
        "{% for a in [[1]] recursive %}{{ loop(a) }}{% endfor %}{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{% endcall %}",
        "",
    );
    check("{% set f = namespace(g=1) %}{{ f.h() }}{% set u = range %}{{ u(1) }}", "");
    // One that asks first knows.
    check(
        "{% if 'shout' is filter %}{{ 'a' | shout }}{% endif %}{% if 'odder' is not test %}{% else %}{{ 1 is odder }}{% endif %}",
        "",
    );
    check("{% if today is defined %}{{ today() }}{% endif %}", "");
    for name in predicates::FILTERS {
        check(&format!("{{{{ 1 | {name} }}}}"), "");
        let rendered = render(&format!("{{{{ 1 | {name} }}}}"), &[], None);
        assert!(!format!("{rendered:?}").contains("no filter"), "{name}: {rendered:?}");
    }
}

/// What Jinja2 renders names nothing that there is not.
#[test]
fn published_templates_name_what_there_is() {
    for file in std::fs::read_dir(folder().join("chats")).unwrap() {
        let source = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(Template::new(&source).is_ok_and(|template| template.check_names().is_ok()), "{source}");
    }
}

#[test]
fn dates_are_written_as_by_c() {
    #[derive(Deserialize)]
    struct Dates {
        formats: Vec<String>,
        dates: Vec<(i64, Vec<String>)>,
    }
    let golden: Dates = golden("strftime.json");
    let mut differences = Vec::new();
    for (seconds, expected) in golden.dates {
        for (format, expected) in golden.formats.iter().zip(expected) {
            let mut text = String::new();
            strftime::write(format, seconds, &mut text).unwrap();
            if text != expected {
                differences.push(format!("{seconds} {format}: {text:?}, in C {expected:?}"));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn failures_are_short_sentences() {
    assert_eq!(problem("{{ raise_exception('roles must alternate') }}"), "roles must alternate (line 1)");
    assert!(problem("a\n{% if %}").contains("line 2"));
    assert!(problem("a\n\n{% for x in [1] %}\n{{ x.y.z }}{% endfor %}").contains("(line 4)"));
    assert!(problem("{{ missing.attribute }}").contains("undefined"));
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
    assert!(problem(endless).contains("fuel"), "{}", problem(endless));
}

#[test]
fn without_a_clock_there_is_no_date() {
    assert_eq!(render("{{ strftime_now is defined }}", &[], None).unwrap(), "False");
    assert_eq!(render("{{ strftime_now('%Y') }}", &[], Some(0)).unwrap(), "1970");
    assert!(problem("{{ strftime_now('%Y') }}").contains("strftime_now"));
}

/// A mark in a content has to come through, or it could not be taken out again.
#[test]
fn marks_are_never_escaped() {
    let context = [("x", Input::Text("<\u{E000}|é".into()))];
    let template = Template::new("{{ [x] }}{{ x | tojson(true) }}{{ {'a': x} | tojson }}").unwrap();
    let options = RenderOptions { now: None, mark: Some('\u{E000}') };
    let rendered = template.render(&context, options).unwrap();
    assert_eq!(rendered, "['<\u{E000}|é']\"<\u{E000}|\\u00e9\"{\"a\": \"<\u{E000}|é\"}");
}
