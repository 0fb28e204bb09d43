//! The known name that a mistaken one most likely stands for.

use super::Error;

impl Error {
    /// An option that a call does not have, with the one of `known` that was probably meant.
    pub fn unknown_option(option: &str, known: &[&'static str]) -> Self {
        Self::UnknownOption { option: option.into(), suggestion: nearest(option, known) }
    }
}

/// A name may differ in a third of its letters.
const LEAST_LIKENESS: f64 = 2.0 / 3.0;
/// The fewest letters of a name's beginning that stand for the name.
const LEAST_BEGINNING: usize = 3;

/// The one of `known` that is `name` in another spelling, or shortened, or with slips of the keyboard.
fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let plain =
        |name: &str| name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let name = plain(name);
    let begins = |a: &str, b: &str| a.len() >= LEAST_BEGINNING && b.starts_with(a);
    let likeness = |known: &&'static str| {
        let other = plain(known);
        match begins(&name, &other) || begins(&other, &name) {
            true => LEAST_LIKENESS.max(strsim::normalized_damerau_levenshtein(&name, &other)),
            false => strsim::normalized_damerau_levenshtein(&name, &other),
        }
    };
    let likely =
        known.iter().map(|known| (likeness(known), *known)).filter(|(likeness, _)| *likeness >= LEAST_LIKENESS);
    likely.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const GENERATE: [&str; 16] = [
        "maxTokens",
        "stop",
        "stopTokens",
        "ignoreEos",
        "temperature",
        "topK",
        "topP",
        "minP",
        "repetitionPenalty",
        "frequencyPenalty",
        "presencePenalty",
        "penaltyLastN",
        "seed",
        "reuse",
        "resume",
        "signal",
    ];

    #[test]
    fn slips_and_other_spellings_are_understood() {
        for (name, meant) in [
            ("max_tokens", "maxTokens"),
            ("MAXTOKENS", "maxTokens"),
            ("max-new-tokens", "maxTokens"),
            ("topk", "topK"),
            ("top_p", "topP"),
            ("min_p", "minP"),
            ("temp", "temperature"),
            ("temperatur", "temperature"),
            ("tempreature", "temperature"),
            ("stopStrings", "stop"),
            ("stop_token", "stopTokens"),
            ("repeat_penalty", "repetitionPenalty"),
            ("frequency_penalty", "frequencyPenalty"),
            ("signals", "signal"),
            ("sead", "seed"),
        ] {
            assert_eq!(nearest(name, &GENERATE), Some(meant), "{name}");
        }
    }

    #[test]
    fn what_is_like_nothing_is_not_guessed() {
        for name in ["", "n", "banana", "tools", "response_format", "мама", "💥"] {
            assert_eq!(nearest(name, &GENERATE), None, "{name}");
        }
        assert_eq!(nearest("maxTokens", &[]), None);
    }
}
