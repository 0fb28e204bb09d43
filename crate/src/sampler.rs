//! Chooses the next token from logits.
//!
//! The filters and their order are those of llama.cpp's default chain: penalties, top-k, top-p, min-p, temperature,
//! draw. Top-p and min-p therefore see the probabilities before the temperature changes them.
//!
//! The same seed and logits give the same tokens on every platform: the generator is our own, the softmax is in `f64`
//! and uses only operations that IEEE 754 rounds exactly (its exponential is [`exp`] below, since the system's differ
//! in the last bit), and ties are broken by token id.

mod pcg32;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};

use serde::Deserialize;

use crate::error::{Error, Result};
use pcg32::Pcg32;

/// How tokens are chosen. In JSON the names are in camelCase, and absent ones take the defaults.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SamplerOptions {
    /// Divides the logits: below 1 the likely tokens gain, above 1 they lose. 0 always takes the likeliest (greedy).
    pub temperature: f32,
    /// Keeps this many of the likeliest tokens; 0 keeps all.
    pub top_k: usize,
    /// Keeps the fewest likeliest tokens whose probabilities reach this sum; 1 keeps all.
    pub top_p: f32,
    /// Keeps the tokens with at least this fraction of the likeliest one's probability; 0 keeps all.
    pub min_p: f32,
    /// Divides the positive logits of recent tokens, and multiplies their negative ones; 1 changes nothing.
    pub repetition_penalty: f32,
    /// Subtracted from a recent token's logit once for each time it occurred.
    pub frequency_penalty: f32,
    /// Subtracted once from the logit of each recent token.
    pub presence_penalty: f32,
    /// How many of the last tokens count as recent for the penalties; 0 turns them off.
    pub penalty_last_n: usize,
    /// Where the generator starts.
    pub seed: u64,
}

impl Default for SamplerOptions {
    fn default() -> Self {
        Self {
            temperature: 0.7,
            top_k: 40,
            top_p: 0.95,
            min_p: 0.05,
            repetition_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            penalty_last_n: 64,
            seed: 0,
        }
    }
}

impl SamplerOptions {
    /// Checks that every option is in its range.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] with the JSON name of the first that is not.
    pub fn validate(&self) -> Result<()> {
        // `contains` is false for NaN.
        let fraction = |option, value: f32| {
            let accepted = (0.0..=1.0).contains(&value);
            check(accepted, option, value, "a number from 0 to 1")
        };
        let finite = |option, value: f32| check(value.is_finite(), option, value, "a finite number");
        let temperature = self.temperature;
        check(temperature.is_finite() && temperature >= 0.0, "temperature", temperature, "a finite number, 0 or more")?;
        fraction("topP", self.top_p)?;
        fraction("minP", self.min_p)?;
        let repetition = self.repetition_penalty;
        check(repetition.is_finite() && repetition > 0.0, "repetitionPenalty", repetition, "a finite number above 0")?;
        finite("frequencyPenalty", self.frequency_penalty)?;
        finite("presencePenalty", self.presence_penalty)
    }

    fn penalises(&self) -> bool {
        self.repetition_penalty != 1.0 || self.frequency_penalty != 0.0 || self.presence_penalty != 0.0
    }
}

fn check(accepted: bool, option: &'static str, value: f32, expected: &'static str) -> Result<()> {
    if accepted {
        return Ok(());
    }
    Err(Error::InvalidOption { option, found: value.to_string(), expected })
}

/// Chooses tokens one after another. A clone goes on exactly as the original would.
#[derive(Debug, Clone)]
pub struct Sampler {
    options: SamplerOptions,
    random: Pcg32,
    recent: VecDeque<u32>,
    /// How often each token of `recent` occurs there.
    occurrences: HashMap<u32, u32>,
    /// Kept between calls so that its memory is taken once.
    candidates: Vec<Candidate>,
}

/// A token that may still be chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidate {
    token: u32,
    /// Finite, whatever the model gave.
    logit: f32,
}

impl Sampler {
    /// Starts with no history and with the generator at the seed.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] as of [`SamplerOptions::validate`].
    pub fn new(options: SamplerOptions) -> Result<Self> {
        options.validate()?;
        Ok(Self {
            random: Pcg32::new(options.seed),
            options,
            recent: VecDeque::new(),
            occurrences: HashMap::new(),
            candidates: Vec::new(),
        })
    }

    /// Adds a token to the history that the penalties look at: those of the prompt, and each that was chosen.
    pub fn accept(&mut self, token: u32) {
        if self.options.penalty_last_n == 0 || !self.options.penalises() {
            return;
        }
        if self.recent.len() == self.options.penalty_last_n
            && let Some(oldest) = self.recent.pop_front()
            && let Some(times) = self.occurrences.get_mut(&oldest)
        {
            *times -= 1;
            if *times == 0 {
                self.occurrences.remove(&oldest);
            }
        }
        self.recent.push_back(token);
        *self.occurrences.entry(token).or_insert(0) += 1;
    }

    /// Chooses a token from `logits`, one for each id of the vocabulary, which the penalties change in place.
    ///
    /// A NaN counts as the lowest number, so such a token is chosen only where no other is left. For no logits at all
    /// the answer is 0.
    pub fn sample(&mut self, logits: &mut [f32]) -> u32 {
        self.penalise(logits);
        if self.options.temperature == 0.0 {
            return likeliest(logits);
        }
        keep_top_k(&mut self.candidates, logits, self.options.top_k);
        keep_top_p(&mut self.candidates, self.options.top_p);
        keep_min_p(&mut self.candidates, self.options.min_p);
        draw(&self.candidates, self.options.temperature, self.random.fraction())
    }

    /// As in llama.cpp (`llama_sampler_penalties_apply`), after Keskar et al., "CTRL" (2019), and OpenAI's interface.
    fn penalise(&self, logits: &mut [f32]) {
        let SamplerOptions { repetition_penalty, frequency_penalty, presence_penalty, .. } = self.options;
        for (&token, &times) in &self.occurrences {
            let Some(logit) = logits.get_mut(token as usize) else { continue };
            // Dividing a negative logit would make its token likelier.
            if *logit > 0.0 {
                *logit /= repetition_penalty;
            } else {
                *logit *= repetition_penalty;
            }
            *logit -= times as f32 * frequency_penalty + presence_penalty;
        }
    }
}

/// Gives NaN and the infinities a place in the order, so that no later step meets `inf - inf`.
fn finite(logit: f32) -> f32 {
    if logit.is_nan() { f32::MIN } else { logit.clamp(f32::MIN, f32::MAX) }
}

/// Likeliest first; of equals, the lowest id first. Logits are finite here, so they always compare, and unlike with
/// `total_cmp` the two zeros are equal, as they are for `<=`.
fn likelier(a: &Candidate, b: &Candidate) -> Ordering {
    b.logit.partial_cmp(&a.logit).unwrap_or(Ordering::Equal).then(a.token.cmp(&b.token))
}

/// The token of the highest logit, of equals the lowest.
fn likeliest(logits: &[f32]) -> u32 {
    let mut best = Candidate { token: 0, logit: f32::MIN };
    for (token, &logit) in (0..).zip(logits) {
        if finite(logit) > best.logit {
            best = Candidate { token, logit: finite(logit) };
        }
    }
    best.token
}

/// Fills `candidates` with the `k` likeliest tokens, sorted; for 0 with all, by id.
///
/// The vocabulary is never sorted: candidates gather up to twice `k`, then the lesser half goes, and what is not above
/// the least that stayed is passed over from then on.
fn keep_top_k(candidates: &mut Vec<Candidate>, logits: &[f32], k: usize) {
    candidates.clear();
    let all = (0..).zip(logits).map(|(token, &logit)| Candidate { token, logit: finite(logit) });
    if k == 0 {
        candidates.extend(all);
        return;
    }
    let mut floor = None;
    for candidate in all {
        // A later token of the same logit comes after an earlier one in the order, so it cannot displace it.
        if floor.is_some_and(|floor| candidate.logit <= floor) {
            continue;
        }
        candidates.push(candidate);
        if candidates.len() >= k.saturating_mul(2) {
            let (_, least, _) = candidates.select_nth_unstable_by(k - 1, likelier);
            floor = Some(least.logit);
            candidates.truncate(k);
        }
    }
    candidates.sort_unstable_by(likelier);
    candidates.truncate(k);
}

/// Keeps the fewest likeliest candidates whose probabilities reach `p`, sorted; at least one.
fn keep_top_p(candidates: &mut Vec<Candidate>, p: f32) {
    if p >= 1.0 {
        return;
    }
    let highest = highest_logit(candidates);
    let weight = |candidate: &Candidate| exp(f64::from(candidate.logit) - highest);
    let target = f64::from(p) * candidates.iter().map(weight).sum::<f64>();
    let (mut kept, mut sorted, mut reached) = (0, 0, 0.0);
    while kept < candidates.len() {
        if kept == sorted {
            sorted = sort_more(candidates, sorted);
        }
        reached += weight(&candidates[kept]);
        kept += 1;
        if reached >= target {
            break;
        }
    }
    candidates.truncate(kept);
}

/// Sorts the likeliest after the first `sorted`, which are in order, and gives back how many are in order then. The
/// number grows fourfold a call: a peaked distribution sorts a few hundred, a flat one no more than all in the end.
fn sort_more(candidates: &mut [Candidate], sorted: usize) -> usize {
    let end = (sorted * 4).max(256).min(candidates.len());
    let rest = &mut candidates[sorted..];
    let more = end - sorted;
    if more < rest.len() {
        rest.select_nth_unstable_by(more, likelier);
    }
    rest[..more].sort_unstable_by(likelier);
    end
}

/// Keeps the candidates with at least `p` times the likeliest one's probability, in the order that they have.
fn keep_min_p(candidates: &mut Vec<Candidate>, p: f32) {
    if p <= 0.0 {
        return;
    }
    let highest = highest_logit(candidates);
    candidates.retain(|candidate| exp(f64::from(candidate.logit) - highest) >= f64::from(p));
}

/// The candidate at `fraction`, of [0, 1), of the cumulated probabilities at this temperature.
fn draw(candidates: &[Candidate], temperature: f32, fraction: f64) -> u32 {
    let highest = highest_logit(candidates);
    let weight = |candidate: &Candidate| exp((f64::from(candidate.logit) - highest) / f64::from(temperature));
    let target = fraction * candidates.iter().map(weight).sum::<f64>();
    let mut reached = 0.0;
    for candidate in candidates {
        reached += weight(candidate);
        // Strictly, so that a token of no probability is never drawn.
        if reached > target {
            return candidate.token;
        }
    }
    // The same sum in the same order ends above any fraction below 1 of itself; this is for no candidates.
    candidates.last().map_or(0, |candidate| candidate.token)
}

fn highest_logit(candidates: &[Candidate]) -> f64 {
    candidates.iter().map(|candidate| f64::from(candidate.logit)).fold(f64::from(f32::MIN), f64::max)
}

/// `e^x` for `x <= 0`, the same on every platform, within 2^-51 of the true value.
///
/// `x = n ln 2 + r` with `|r| <= ln 2 / 2`, the logarithm in two parts so that `n ln 2` is exact (the split is that of
/// fdlibm's `e_exp.c`); then Taylor's series, of which 14 terms reach the last bit of an `f64`.
fn exp(x: f64) -> f64 {
    const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    // Below this the power of two would be subnormal; such a weight never changes a sum that holds e^0.
    if x < -708.0 {
        return 0.0;
    }
    let n = (x * std::f64::consts::LOG2_E + 0.5).floor();
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let series = (1..=14).rev().fold(1.0, |sum, term| 1.0 + r / f64::from(term) * sum);
    let power = f64::from_bits(((n as i64 + 1023) as u64) << 52);
    series * power
}
