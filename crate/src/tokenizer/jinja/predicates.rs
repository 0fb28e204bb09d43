//! Tests: `value is name`.

use super::evaluation::Args;
use super::interpreter::Interpreter;
use super::names::Kind;
use super::operators::{arithmetic, compare, contains};
use super::syntax::{Comparison, Operator};
use super::value::{Value, equal};
use super::{Result, failure};

pub(super) const FILTERS: &[&str] = &[
    "abs",
    "attr",
    "batch",
    "capitalize",
    "center",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "forceescape",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "sort",
    "string",
    "striptags",
    "sum",
    "title",
    "tojson",
    "trim",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "wordcount",
];

pub(super) const TESTS: &[&str] = &[
    "!=",
    "<",
    "<=",
    "==",
    ">",
    ">=",
    "boolean",
    "callable",
    "defined",
    "divisibleby",
    "eq",
    "equalto",
    "escaped",
    "even",
    "false",
    "filter",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sameas",
    "sequence",
    "string",
    "test",
    "true",
    "undefined",
    "upper",
];

impl<'t> Interpreter<'t> {
    /// `value is name(args)`.
    pub(super) fn test(&mut self, name: &str, value: &Value, args: Args) -> Result<bool> {
        self.meter.steps(1)?;
        let comparison = match name {
            "eq" | "equalto" | "==" => Some(Comparison::Equal),
            "ne" | "!=" => Some(Comparison::Unequal),
            "lt" | "lessthan" | "<" => Some(Comparison::Less),
            "le" | "<=" => Some(Comparison::LessOrEqual),
            "gt" | "greaterthan" | ">" => Some(Comparison::Greater),
            "ge" | ">=" => Some(Comparison::GreaterOrEqual),
            _ => None,
        };
        let needs_other = comparison.is_some() || matches!(name, "in" | "sameas" | "divisibleby");
        if needs_other {
            let [other] = args.bind(name, ["other"])?;
            let other = other.ok_or_else(|| failure(format!("`{name}` needs a value to compare with")))?;
            return match (comparison, name) {
                (Some(comparison), _) => compare(comparison, value, &other, &self.meter),
                (None, "in") => contains(&other, value, &self.meter),
                (None, "divisibleby") => self.is_divisible(value, &other),
                _ => Ok(value.kind() == other.kind() && equal(value, &other, &self.meter)?),
            };
        }
        let [] = args.bind(name, [])?;
        Ok(match name {
            "defined" => !value.is_undefined(),
            "undefined" => value.is_undefined(),
            "none" => matches!(value, Value::None),
            "boolean" => matches!(value, Value::Bool(_)),
            "true" => matches!(value, Value::Bool(true)),
            "false" => matches!(value, Value::Bool(false)),
            "integer" => matches!(value, Value::Int(_)),
            "float" => matches!(value, Value::Float(_)),
            "number" => matches!(value, Value::Bool(_) | Value::Int(_) | Value::Float(_)),
            "string" => matches!(value, Value::Str(_)),
            "mapping" => matches!(value, Value::Dict(_)),
            "sequence" => {
                matches!(value, Value::Str(_) | Value::List(_) | Value::Tuple(_) | Value::Dict(_) | Value::Undefined(_))
            }
            "iterable" => matches!(
                value,
                Value::Str(_)
                    | Value::List(_)
                    | Value::Tuple(_)
                    | Value::Dict(_)
                    | Value::Undefined(_)
                    | Value::Loop(_)
            ),
            "callable" => matches!(
                value,
                Value::Macro(_)
                    | Value::Function(_)
                    | Value::Method(_)
                    | Value::Joiner(_)
                    | Value::Loop(_)
                    | Value::Undefined(_)
            ),
            "even" => self.is_divisible(value, &Value::Int(2))?,
            "odd" => !self.is_divisible(value, &Value::Int(2))?,
            "lower" | "upper" => self.has_case(name, value)?,
            "escaped" => false,
            "filter" | "test" => {
                let names = if name == "filter" { FILTERS } else { TESTS };
                value.as_text().is_some_and(|text| names.contains(&text.as_str()))
            }
            _ => {
                return Err(failure(Kind::Test.missing(name)));
            }
        })
    }

    fn is_divisible(&self, value: &Value, by: &Value) -> Result<bool> {
        let rest = arithmetic(Operator::Remainder, value, by, &self.meter)?;
        equal(&rest, &Value::Int(0), &self.meter)
    }

    /// Whether all letters of a text are of this case, and there is one.
    fn has_case(&self, case: &str, value: &Value) -> Result<bool> {
        let text = super::printing::to_text(value, &self.meter)?;
        let Value::Str(text) = text else { return Ok(false) };
        self.meter.bytes(text.len().saturating_mul(8))?;
        Ok(super::methods::has_case(&text, case == "upper"))
    }
}
