//! A Jinja environment that behaves as the one chat templates are written for: Python methods on strings, lists and maps,
//! trimmed blocks, `raise_exception`, `strftime_now`, and `tojson` without HTML escapes. Templates come from model files,
//! so their running time is bounded. Their memory is not: a template that doubles a string fails only with the allocator.

use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, ErrorKind};

use crate::error::{Error, Result};

/// Instructions that a template may run: some hundred a message is usual, so this is a conversation of ten thousand turns,
/// and under a second.
const FUEL: u64 = 2_000_000;

/// Macros inside macros and the like. Templates need a handful; wasm has a stack of one megabyte.
const DEPTH: usize = 100;

/// Checks that a template compiles.
pub(super) fn compile(source: &str) -> Result<()> {
    environment(None).template_from_str(source).map(|_| ()).map_err(failed)
}

/// Renders a template. `now` is in seconds since 1970; without it `strftime_now` is undefined.
pub(super) fn render(source: &str, context: Value, now: Option<i64>) -> Result<String> {
    let environment = environment(now);
    let template = environment.template_from_str(source).map_err(failed)?;
    template.render(context).map_err(failed)
}

fn environment(now: Option<i64>) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(DEPTH);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_filter("tojson", tojson);
    environment.add_function("raise_exception", |message: String| -> std::result::Result<String, minijinja::Error> {
        Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
    });
    if let Some(now) = now {
        environment.add_function("strftime_now", move |format: String| strftime(&format, now));
    }
    environment
}

/// The message that a person can use: what the template said, or what is wrong and where. No excerpt of the template.
fn failed(error: minijinja::Error) -> Error {
    let mut problem = match error.detail() {
        Some(detail) if error.kind() == ErrorKind::InvalidOperation => detail.to_owned(),
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    if let Some(line) = error.line() {
        problem += &format!(" (line {line})");
    }
    Error::ChatTemplate { problem: problem.chars().take(400).collect() }
}

/// Python's `json.dumps(value, ensure_ascii=False, indent=…)`.
fn tojson(value: Value, options: Kwargs) -> std::result::Result<Value, minijinja::Error> {
    let indent: Option<usize> = options.get("indent")?;
    let mut bytes = Vec::new();
    let written = match indent {
        Some(width) => {
            let spaces = " ".repeat(width.min(16));
            let format = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
            serde::Serialize::serialize(&value, &mut serde_json::Serializer::with_formatter(&mut bytes, format))
        }
        None => {
            serde::Serialize::serialize(&value, &mut serde_json::Serializer::with_formatter(&mut bytes, PythonJson))
        }
    };
    let bad = |error: &dyn std::fmt::Display| minijinja::Error::new(ErrorKind::BadSerialization, error.to_string());
    written.map_err(|error| bad(&error))?;
    Ok(Value::from_safe_string(String::from_utf8(bytes).map_err(|error| bad(&error))?))
}

/// Python writes a space after each comma and colon.
struct PythonJson;

impl serde_json::ser::Formatter for PythonJson {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

/// The part of `strftime` that templates use, in UTC and English; other letters are written as they stand.
fn strftime(format: &str, unix_seconds: i64) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
    let (days, seconds) = (unix_seconds.div_euclid(86_400), unix_seconds.rem_euclid(86_400));
    let (year, month, day) = civil_from_days(days);
    let month_name = MONTHS[(month - 1) as usize];
    let day_name = DAYS[days.rem_euclid(7) as usize];
    let mut text = String::new();
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            text.push(char);
            continue;
        }
        match chars.next() {
            Some('Y') => text += &year.to_string(),
            Some('y') => text += &format!("{:02}", year.rem_euclid(100)),
            Some('m') => text += &format!("{month:02}"),
            Some('d') => text += &format!("{day:02}"),
            Some('B') => text += month_name,
            Some('b') => text += &month_name[..3],
            Some('A') => text += day_name,
            Some('a') => text += &day_name[..3],
            Some('H') => text += &format!("{:02}", seconds / 3600),
            Some('M') => text += &format!("{:02}", seconds / 60 % 60),
            Some('S') => text += &format!("{:02}", seconds % 60),
            Some('%') | None => text.push('%'),
            Some(other) => text.extend(['%', other]),
        }
    }
    text
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar; years are counted from March, so that
/// the leap day is the last of a year.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_from_march + 2) / 5 + 1;
    let month = if months_from_march < 10 { months_from_march + 3 } else { months_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(source: &str, expected: &str) {
        let context =
            minijinja::context! { list => vec![1, 2], text => " <a> ", map => minijinja::context! { k => "é" } };
        assert_eq!(render(source, context, Some(1_709_209_845)).unwrap(), expected, "{source}");
    }

    #[test]
    fn python_methods_json_dates_and_trimmed_blocks() {
        check("{{ text.strip() }}{{ text.startswith(' <') }}", "<a>True");
        check("{{ list | tojson }} {{ map | tojson }} {{ text | tojson }}", "[1, 2] {\"k\": \"é\"} \" <a> \"");
        check("{{ map | tojson(indent=2) }}", "{\n  \"k\": \"é\"\n}");
        check("{{ strftime_now('%d %b %Y, %A %B %H:%M:%S %y%%') }}", "29 Feb 2024, Thursday February 12:30:45 24%");
        check("a\n  {% if true %}\nb\n  {% endif %}\n", "a\nb\n");
        check("{% for k, v in map.items() %}{{ k }}{% break %}{% endfor %}{{ strftime_now is defined }}", "kTrue");
    }

    #[test]
    fn dates_at_the_edges() {
        for (seconds, expected) in [(0, "1970-01-01 Thu"), (-1, "1969-12-31 Wed"), (951_782_400, "2000-02-29 Tue")] {
            assert_eq!(strftime("%Y-%m-%d %a", seconds), expected);
        }
    }

    #[test]
    fn failures_are_short_sentences() {
        let problem = |source: &str| match render(source, minijinja::context! {}, None).unwrap_err() {
            Error::ChatTemplate { problem } => problem,
            other => unreachable!("{other}"),
        };
        assert_eq!(problem("{{ raise_exception('roles must alternate') }}"), "roles must alternate (line 1)");
        assert!(problem("a\n{% if %}").contains("line 2"));
        assert!(problem("{{ missing.attribute }}").contains("undefined"));
        let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
        assert!(problem(endless).contains("fuel"), "{}", problem(endless));
    }
}
