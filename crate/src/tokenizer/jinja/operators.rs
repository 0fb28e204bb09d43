//! Python's operators. Whatever the operands, the result is a value that was paid for, or a failure.

use std::cmp::Ordering;

use super::budget::{ENTRY_BYTES, ListBuilder, Meter, TextBuilder};
use super::syntax::{Comparison, Operator};
use super::value::{Value, equal, order};
use super::{Result, failure, formatting};

fn too_large() -> super::Failure {
    failure("a number is too large")
}

pub(super) fn arithmetic(operator: Operator, left: &Value, right: &Value, meter: &Meter) -> Result<Value> {
    for operand in [left, right] {
        if operand.is_undefined() {
            return Err(operand.undefined_failure());
        }
    }
    if operator == Operator::Remainder
        && let Value::Str(format) = left
    {
        return formatting::percent(format, right, meter);
    }
    match (left.as_int(), right.as_int()) {
        (Some(left), Some(right)) => integers(operator, left, right),
        _ => match (left.as_float(), right.as_float()) {
            (Some(left), Some(right)) => floats(operator, left, right),
            _ => sequences(operator, left, right, meter),
        },
    }
}

fn integers(operator: Operator, left: i64, right: i64) -> Result<Value> {
    let zero = || failure("a division by zero");
    let value = match operator {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        Operator::Divide if right == 0 => return Err(zero()),
        Operator::Divide => return Ok(Value::Float(left as f64 / right as f64)),
        Operator::FloorDivide | Operator::Remainder if right == 0 => return Err(zero()),
        Operator::FloorDivide => {
            let towards_zero = left.checked_div(right).ok_or_else(too_large)?;
            let inexact = left.wrapping_rem(right) != 0 && (left < 0) != (right < 0);
            Some(towards_zero - i64::from(inexact))
        }
        Operator::Remainder => {
            let rest = left.wrapping_rem(right);
            Some(if rest != 0 && (rest < 0) != (right < 0) { rest + right } else { rest })
        }
        Operator::Power if right < 0 => return floats(operator, left as f64, right as f64),
        Operator::Power => match (left, u32::try_from(right)) {
            (0 | 1, _) => Some(if right == 0 { 1 } else { left }),
            (-1, _) => Some(if right % 2 == 0 { 1 } else { -1 }),
            (_, Ok(power)) => left.checked_pow(power),
            _ => None,
        },
    };
    value.map(Value::Int).ok_or_else(too_large)
}

fn floats(operator: Operator, left: f64, right: f64) -> Result<Value> {
    let divides = matches!(operator, Operator::Divide | Operator::FloorDivide | Operator::Remainder);
    if right == 0.0 && divides || operator == Operator::Power && left == 0.0 && right < 0.0 {
        return Err(failure("a division by zero"));
    }
    Ok(Value::Float(match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        Operator::FloorDivide => (left / right).floor(),
        Operator::Remainder => {
            let rest = left % right;
            if rest != 0.0 && (rest < 0.0) != (right < 0.0) { rest + right } else { rest }
        }
        Operator::Power => {
            let value = left.powf(right);
            if !value.is_finite() && left.is_finite() && right.is_finite() {
                return Err(too_large());
            }
            value
        }
    }))
}

fn sequences(operator: Operator, left: &Value, right: &Value, meter: &Meter) -> Result<Value> {
    match (operator, left, right) {
        (Operator::Add, Value::Str(left), Value::Str(right)) => concat([left.as_str(), right.as_str()], meter),
        (Operator::Add, Value::List(_), Value::List(_)) | (Operator::Add, Value::Tuple(_), Value::Tuple(_)) => {
            let both = [left, right].into_iter().flat_map(|value| value.as_items().unwrap_or_default());
            let _charge = meter.charge(both.clone().count().saturating_mul(ENTRY_BYTES))?;
            like(left, both.cloned().collect(), meter)
        }
        (Operator::Multiply, sequence, count) if count.as_int().is_some() => repeat(sequence, count, meter),
        (Operator::Multiply, count, sequence) if count.as_int().is_some() => repeat(sequence, count, meter),
        _ => {
            let word = match operator {
                Operator::Add => "added",
                Operator::Subtract => "subtracted",
                Operator::Multiply => "multiplied",
                Operator::Power => "raised",
                _ => "divided",
            };
            Err(failure(format!("{} and {} cannot be {word}", left.kind(), right.kind())))
        }
    }
}

/// A list or a tuple, as `model` is.
pub(super) fn like(model: &Value, items: Vec<Value>, meter: &Meter) -> Result<Value> {
    if matches!(model, Value::Tuple(_)) { meter.tuple(items) } else { meter.list(items) }
}

fn concat<'t>(parts: impl IntoIterator<Item = &'t str>, meter: &Meter) -> Result<Value> {
    let mut text = TextBuilder::new(meter)?;
    parts.into_iter().try_for_each(|part| text.push_str(part))?;
    Ok(text.finish())
}

fn repeat(sequence: &Value, count: &Value, meter: &Meter) -> Result<Value> {
    let count = usize::try_from(count.as_int().unwrap_or(0)).unwrap_or(0);
    match sequence {
        Value::Str(text) if text.is_empty() => Ok(sequence.clone()),
        Value::Str(text) => {
            let _charge = meter.charge(text.len().saturating_mul(count))?;
            meter.steps(count as u64 / 16)?;
            let text = text.repeat(count);
            drop(_charge);
            meter.text(text)
        }
        Value::List(list) | Value::Tuple(list) => {
            let mut items = ListBuilder::new(meter)?;
            for _ in 0..if list.items.is_empty() { 0 } else { count } {
                list.items.iter().try_for_each(|item| items.push(item.clone()))?;
            }
            if matches!(sequence, Value::Tuple(_)) { items.finish_tuple() } else { items.finish() }
        }
        other => Err(failure(format!("{} cannot be multiplied", other.kind()))),
    }
}

pub(super) fn negative(value: &Value) -> Result<Value> {
    match value {
        Value::Float(value) => Ok(Value::Float(-value)),
        Value::Undefined(_) => Err(value.undefined_failure()),
        other => match other.as_int() {
            Some(value) => value.checked_neg().map(Value::Int).ok_or_else(too_large),
            None => Err(failure(format!("{} has no negative", other.kind()))),
        },
    }
}

pub(super) fn compare(comparison: Comparison, left: &Value, right: &Value, meter: &Meter) -> Result<bool> {
    let ordering = |wanted: fn(Ordering) -> bool| Ok(order(left, right, meter)?.is_some_and(wanted));
    match comparison {
        Comparison::Equal => equal(left, right, meter),
        Comparison::Unequal => Ok(!equal(left, right, meter)?),
        Comparison::Less => ordering(Ordering::is_lt),
        Comparison::LessOrEqual => ordering(Ordering::is_le),
        Comparison::Greater => ordering(Ordering::is_gt),
        Comparison::GreaterOrEqual => ordering(Ordering::is_ge),
        Comparison::In => contains(right, left, meter),
        Comparison::NotIn => Ok(!contains(right, left, meter)?),
    }
}

/// `item in container`.
pub(super) fn contains(container: &Value, item: &Value, meter: &Meter) -> Result<bool> {
    match (container, item) {
        (Value::Undefined(_), _) => Ok(false),
        (Value::Str(text), Value::Str(part)) => {
            meter.bytes(text.len().saturating_mul(4))?;
            Ok(text.contains(part.as_str()))
        }
        (Value::List(list) | Value::Tuple(list), item) => {
            for entry in &list.items {
                if equal(entry, item, meter)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        (Value::Dict(dict), key) => Ok(dict.get(key, meter)?.is_some()),
        (container, item) => Err(failure(format!("{} cannot hold {}", container.kind(), item.kind()))),
    }
}

/// `value[index]` of a text or list; `None` where there is no such entry.
pub(super) fn item(value: &Value, index: i64, meter: &Meter) -> Result<Option<Value>> {
    let place = |count: usize| {
        let index = if index < 0 { index.checked_add(count as i64)? } else { index };
        usize::try_from(index).ok().filter(|index| *index < count)
    };
    match value {
        Value::Str(text) => {
            meter.bytes(text.len())?;
            let Some(index) = place(text.count()) else { return Ok(None) };
            let (start, end) = (text.offset(index), text.offset(index + 1));
            meter.text(&text[start..end]).map(Some)
        }
        Value::List(list) | Value::Tuple(list) => {
            Ok(place(list.items.len()).and_then(|index| list.items.get(index)).cloned())
        }
        _ => Ok(None),
    }
}

/// `value[start:stop:step]`.
pub(super) fn slice(value: &Value, parts: [Value; 3], meter: &Meter) -> Result<Value> {
    let mut numbers = [None; 3];
    for (number, part) in numbers.iter_mut().zip(&parts) {
        *number = match part {
            Value::None => None,
            Value::Undefined(_) => return Err(part.undefined_failure()),
            part => Some(part.as_int().ok_or_else(|| failure(format!("{} cannot bound a slice", part.kind())))?),
        };
    }
    let [start, stop, step] = numbers;
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(failure("a slice with a step of zero"));
    }
    let length = match value {
        Value::Str(text) => {
            meter.bytes(text.len())?;
            text.count()
        }
        Value::List(list) | Value::Tuple(list) => list.items.len(),
        other => return Err(failure(format!("{} cannot be sliced", other.kind()))),
    } as i64;
    let (lowest, highest) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let bound = |bound: Option<i64>, default: i64| match bound {
        None => default,
        Some(bound) if bound < 0 => bound.saturating_add(length).max(lowest),
        Some(bound) => bound.min(highest),
    };
    let start = bound(start, if step > 0 { lowest } else { highest });
    let stop = bound(stop, if step > 0 { highest } else { lowest });
    if let (Value::Str(text), 1) = (value, step) {
        let (start, stop) = (start as usize, stop.max(start) as usize);
        return meter.text(&text[text.offset(start)..text.offset(stop)]);
    }
    let places = std::iter::successors(Some(start), |place| place.checked_add(step))
        .take_while(|place| if step > 0 { *place < stop } else { *place > stop });
    if let Value::Str(text) = value {
        let charge = meter.charge(text.len().saturating_mul(4))?;
        meter.steps(text.len() as u64 / 4)?;
        let chars: Vec<char> = text.chars().collect();
        let picked: String = places.filter_map(|place| chars.get(place as usize)).collect();
        drop(charge);
        return meter.text(picked);
    }
    let items = value.as_items().unwrap_or_default();
    let _charge = meter.charge(items.len().saturating_mul(ENTRY_BYTES))?;
    meter.steps(items.len() as u64 / 8)?;
    like(value, places.filter_map(|place| items.get(place as usize)).cloned().collect(), meter)
}
