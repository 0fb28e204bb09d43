//! Stop strings in streamed text: nothing that may still become part of one is let out.

/// Watches a stream of text pieces for any of several strings.
#[derive(Debug, Clone)]
pub struct StopStrings {
    stops: Vec<String>,
    held: String,
}

impl StopStrings {
    /// Watches for `stops`; empty strings are ignored.
    pub fn new(stops: &[String]) -> Self {
        Self { stops: stops.iter().filter(|s| !s.is_empty()).cloned().collect(), held: String::new() }
    }

    /// Takes the next piece. Gives the text that is certain now, and whether a stop string was met; the stop string itself
    /// and what follows it are never given.
    pub fn push(&mut self, piece: &str) -> (String, bool) {
        self.held += piece;
        let met = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min();
        if let Some(at) = met {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let kept = self.stops.iter().map(|stop| overlap(&self.held, stop)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - kept);
        (std::mem::replace(&mut self.held, rest), false)
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
        let stops: Vec<String> = stops.iter().map(|s| s.to_string()).collect();
        let cuts: Vec<usize> = (0..=text.len()).filter(|&i| text.is_char_boundary(i)).collect();
        let run = |pieces: &[&str]| {
            let mut watch = StopStrings::new(&stops);
            let mut out = String::new();
            for piece in pieces {
                let (certain, met) = watch.push(piece);
                out += &certain;
                if met {
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
    fn text_that_only_resembles_a_stop_string_is_given_in_full() {
        check("one tw", &["two"], "one tw", false);
        check("日本", &["本語"], "日本", false);
        check("anything", &[], "anything", false);
        check("anything", &[""], "anything", false);
    }

    #[test]
    fn certain_text_is_not_held_back() {
        let mut watch = StopStrings::new(&["END".into()]);
        assert_eq!(watch.push("hello E"), ("hello ".into(), false));
        assert_eq!(watch.push("N"), (String::new(), false));
        assert_eq!(watch.push("ough"), ("ENough".into(), false));
    }
}
