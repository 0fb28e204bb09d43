//! Stop strings in streamed text: nothing that may still become part of one is let out.

/// Watches a stream of text pieces for any of several strings.
#[derive(Debug, Clone)]
pub struct StopStrings {
    stops: Vec<String>,
    held: String,
}

impl StopStrings {
    /// Watches for `stops`; empty strings are ignored.
    pub fn new<'s>(stops: impl IntoIterator<Item = &'s str>) -> Self {
        Self { stops: stops.into_iter().map(String::from).collect(), held: String::new() }
    }

    /// Takes the next piece. Gives the text that is certain now, and which stop string was met, the first of several; the stop
    /// string itself and what follows it are never given.
    pub fn push(&mut self, piece: &str) -> (String, Option<usize>) {
        self.held += piece;
        let stops = || self.stops.iter().enumerate().filter(|(_, stop)| !stop.is_empty());
        let met = stops().filter_map(|(number, stop)| Some((self.held.find(stop.as_str())?, number))).min();
        if let Some((at, number)) = met {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), Some(number));
        }
        let kept = stops().map(|(_, stop)| overlap(&self.held, stop)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - kept);
        (std::mem::replace(&mut self.held, rest), None)
    }

    /// What was held back, once nothing more comes.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// Bytes of the longest end of `text` that `stop` begins with.
fn overlap(text: &str, stop: &str) -> usize {
    let longest = text.len().min(stop.len() - 1);
    let start = text.len() - longest;
    text[text.ceil_char_boundary(start)..]
        .char_indices()
        .map(|(i, _)| &text[text.ceil_char_boundary(start) + i..])
        .find(|end| stop.starts_with(end))
        .map_or(0, str::len)
}

#[cfg(test)]
mod tests {
    use super::StopStrings;

    /// Feeds `text` in every division into two and three pieces, and character by character.
    fn check(text: &str, stops: &[&str], expected: &str, stopped: bool) {
        let cuts: Vec<usize> = (0..=text.len()).filter(|&i| text.is_char_boundary(i)).collect();
        let run = |pieces: &[&str]| {
            let mut watch = StopStrings::new(stops.iter().copied());
            let mut out = String::new();
            for piece in pieces {
                let (certain, met) = watch.push(piece);
                out += &certain;
                if met.is_some() {
                    return (out, true);
                }
            }
            (out + &watch.finish(), false)
        };
        for &a in &cuts {
            for &b in cuts.iter().filter(|&&b| b >= a) {
                assert_eq!(run(&[&text[..a], &text[a..b], &text[b..]]), (expected.to_string(), stopped), "{a} {b}");
            }
        }
        let characters: Vec<String> = text.chars().map(String::from).collect();
        let characters: Vec<&str> = characters.iter().map(String::as_str).collect();
        assert_eq!(run(&characters), (expected.to_string(), stopped));
    }

    #[test]
    fn text_ends_before_the_first_stop_string() {
        check("one two three", &["two"], "one ", true);
        check("one two three", &["three", "two"], "one ", true);
        check("aaab", &["aab"], "a", true);
        check("naïve 日本語", &["本"], "naïve 日", true);
    }

    #[test]
    fn the_one_that_was_met_is_told() {
        let mut watch = StopStrings::new(["", "two", "one two"]);
        assert_eq!(watch.push("and one tw"), ("and ".into(), None));
        assert_eq!(watch.push("o three"), (String::new(), Some(2)));
        assert_eq!(watch.push("two"), (String::new(), Some(1)));
    }

    #[test]
    fn text_that_only_resembles_a_stop_string_is_given_in_full() {
        check("one tw", &["two"], "one tw", false);
        check("日本", &["本語"], "日本", false);
        check("anything", &[], "anything", false);
        check("anything", &[""], "anything", false);
    }

    #[test]
    fn certain_text_is_not_held_back() {
        let mut watch = StopStrings::new(["END"]);
        assert_eq!(watch.push("hello E"), ("hello ".into(), None));
        assert_eq!(watch.push("N"), (String::new(), None));
        assert_eq!(watch.push("ough"), ("ENough".into(), None));
    }
}
