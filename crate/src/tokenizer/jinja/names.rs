//! Names of filters, tests and functions that a template uses and nothing has. It fails only where it comes to one, which may be in a
//! late turn of a conversation: here they are found while it is read.

use std::collections::BTreeSet;

use super::syntax::Name;
use super::{Failure, failure_at, functions, predicates};

/// What a recursive loop and a called macro bring.
const BROUGHT: [&str; 2] = ["loop", "caller"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Filter,
    Test,
    Function,
}

/// The names of a template.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// In the order of the text, with the line.
    used: Vec<(u32, Kind, Name)>,
    /// Those that the template defines, or looks at: where it does, it may well know that there is nothing of that name.
    known: BTreeSet<Name>,
}

impl Names {
    pub(super) fn uses(&mut self, line: u32, kind: Kind, name: &Name) {
        self.used.push((line, kind, name.clone()));
    }

    pub(super) fn knows(&mut self, name: &Name) {
        self.known.insert(name.clone());
    }

    /// The failure that the first name leads to which nothing has.
    pub(super) fn missing(&self) -> Option<Failure> {
        let (line, kind, name) =
            self.used.iter().find(|(_, kind, name)| !self.known.contains(name) && !kind.has(name))?;
        Some(failure_at(*line, kind.missing(name)))
    }
}

impl Kind {
    fn has(self, name: &str) -> bool {
        match self {
            Self::Filter => predicates::FILTERS.contains(&name),
            Self::Test => predicates::TESTS.contains(&name),
            Self::Function => functions::NAMES.contains(&name) || BROUGHT.contains(&name),
        }
    }

    /// That there is none of this name, as a sentence.
    pub(super) fn missing(self, name: &str) -> String {
        let kind = match self {
            Self::Filter => "filter",
            Self::Test => "test",
            Self::Function => "function",
        };
        format!("there is no {kind} named `{}`", name.chars().take(40).collect::<String>())
    }
}
