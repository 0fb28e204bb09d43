//! Models that come as several files (`NAME-00001-of-0000N.gguf`), as llama.cpp's `gguf-split` writes them: the first
//! part holds the metadata, each part holds the index of its own tensors, and three keys say how they belong together.

use super::metadata::Metadata;
use super::part::Part;
use crate::error::{Error, Result};

/// A part's number, counted from 0 in the file and from 1 in file names and in messages.
const NUMBER: &str = "split.no";
/// How many parts there are. Absent, 0 or 1 in a model of one file.
const COUNT: &str = "split.count";
/// How many tensors all parts have together.
const TENSORS: &str = "split.tensors.count";

/// Keys that each part has for itself.
const OWN_KEYS: [&str; 2] = [NUMBER, "general.alignment"];

/// Puts the parts of one model in order and numbers their tensors' `part`.
///
/// # Errors
/// [`Error::Split`] where parts are missing, repeated or of different models.
pub(super) fn assemble(mut parts: Vec<Part>) -> Result<Vec<Part>> {
    let Some(first) = parts.first() else {
        return Err(split("no file was given"));
    };
    if parts.len() == 1 && count(first)? <= 1 {
        return Ok(parts);
    }
    check_counts(&parts)?;
    let mut numbered = Vec::new();
    for part in parts {
        numbered.push((part.metadata.u32(NUMBER)?, part));
    }
    numbered.sort_by_key(|(number, _)| *number);
    check_numbers(&numbered)?;
    parts = numbered.into_iter().map(|(_, part)| part).collect();
    check_metadata(&parts)?;
    check_tensor_count(&parts)?;
    for (number, part) in parts.iter_mut().enumerate() {
        for tensor in &mut part.tensors {
            tensor.part = number;
        }
    }
    Ok(parts)
}

fn split(problem: impl Into<String>) -> Error {
    Error::Split { problem: problem.into() }
}

fn count(part: &Part) -> Result<u32> {
    Ok(part.metadata.opt_u32(COUNT)?.unwrap_or(0))
}

/// True for one of several parts.
pub(super) fn is_of_set(part: &Part) -> Result<bool> {
    Ok(count(part)? > 1)
}

/// All parts must speak of the same number of parts, more than one.
fn check_counts(parts: &[Part]) -> Result<()> {
    let expected = count(&parts[0])?;
    for part in parts {
        let name = part.source.name();
        match count(part)? {
            0 | 1 => return Err(split(format!("`{name}` is a whole model, not a part of a set"))),
            found if found != expected => {
                let first = parts[0].source.name();
                return Err(split(format!("`{first}` is one of {expected} parts, `{name}` one of {found}")));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Every number from 0 to the count must be there once. The parts are sorted by number.
fn check_numbers(numbered: &[(u32, Part)]) -> Result<()> {
    let mut missing = Vec::new();
    let mut next = 0;
    let count = count(&numbered[0].1)?;
    for (index, (number, part)) in numbered.iter().enumerate() {
        let name = part.source.name();
        if *number >= count {
            return Err(split(format!("`{name}` says that it is part {} of {count}", u64::from(*number) + 1)));
        }
        if *number < next {
            let other = numbered[index - 1].1.source.name();
            return Err(split(format!("`{other}` and `{name}` are both part {} of {count}", number + 1)));
        }
        push_range(&mut missing, next, *number);
        next = number + 1;
    }
    push_range(&mut missing, next, count);
    if missing.is_empty() {
        return Ok(());
    }
    Err(split(format!("of {count} parts these are missing: {}", missing.join(", "))))
}

/// Adds the parts `from..to`, as a person counts them. A range stays one item, since a set may claim 65,535 parts.
fn push_range(missing: &mut Vec<String>, from: u32, to: u32) {
    match to - from {
        0 => {}
        1 => missing.push(to.to_string()),
        _ => missing.push(format!("{} to {to}", from + 1)),
    }
}

/// What a later part says beside its split keys must not contradict the first.
fn check_metadata(parts: &[Part]) -> Result<()> {
    let (first, others) = (&parts[0], &parts[1..]);
    for part in others {
        if let Some(key) = contradiction(&first.metadata, &part.metadata) {
            let (first, other) = (first.source.name(), part.source.name());
            return Err(split(format!("`{first}` and `{other}` differ in `{key}`, so they are of different models")));
        }
    }
    Ok(())
}

fn contradiction<'a>(first: &Metadata, other: &'a Metadata) -> Option<&'a str> {
    let differs = |(key, value): &(&str, _)| first.get(key).is_some_and(|there| there != *value);
    other.sorted().into_iter().filter(|(key, _)| !OWN_KEYS.contains(key)).find(differs).map(|(key, _)| key)
}

fn check_tensor_count(parts: &[Part]) -> Result<()> {
    let expected = parts[0].metadata.u32(TENSORS)?;
    let found: usize = parts.iter().map(|part| part.tensors.len()).sum();
    if usize::try_from(expected) == Ok(found) {
        return Ok(());
    }
    Err(split(format!("the set should have {expected} tensors and has {found}")))
}
