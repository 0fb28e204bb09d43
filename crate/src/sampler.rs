//! Samples the next token from logits.
//!
//! The filters and their order are those of llama.cpp's default chain: logit bias, penalties, top-k, top-p, min-p, temperature,
//! draw. Top-p and min-p therefore see the probabilities before the temperature changes them.
//!
//! The same seed and logits give the same tokens on every platform, and on a GPU as well: the generator is our own, the
//! softmax is in integers (`arithmetic.rs`), and ties are broken by token id.

pub(crate) mod arithmetic;
mod filters;
mod logprobs;
mod masked;
mod pcg32;
pub(crate) mod prepared;
mod resume;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::constraint::TokenMask;
use crate::error::{Error, Result};
use filters::{Candidate, highest_is_finite};
pub(crate) use logprobs::log_probability;
pub use logprobs::{Logprob, Logprobs, MAX_TOP_LOGPROBS};
use pcg32::Pcg32;
use prepared::Prepared;
pub use resume::SamplerState;

/// The subject of [`Error::NotFinite`] for logits.
pub(crate) const HIGHEST_LOGIT: &str = "the highest of the model's logits";

/// The most tokens that can count as recent.
pub(crate) const MAX_RECENT: usize = 65_536;

/// The most tokens that can have a bias.
const MAX_BIASES: usize = 4096;

/// How tokens are sampled. In JSON the names are in camelCase, and absent ones take the defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// How many of the last tokens count as recent for the penalties, 65,536 at the most; 0 turns them off.
    pub penalty_last_n: usize,
    /// Added to the logits of these tokens before anything else, -100 to 100 each: -100 all but rules a token out, 100 all but rules
    /// out the others. At most 4,096 tokens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logit_bias: Vec<(u32, f32)>,
    /// Where the generator starts; without one, somewhere else each time: see [`Sampler::seed`].
    pub seed: Option<u64>,
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
            logit_bias: Vec::new(),
            seed: None,
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
        finite("presencePenalty", self.presence_penalty)?;
        if self.logit_bias.len() > MAX_BIASES {
            let (option, found) = ("logitBias", format!("{} tokens", self.logit_bias.len()));
            return Err(Error::InvalidOption { option, found, expected: "at most 4096 tokens" });
        }
        let bias = |&(_, bias): &(u32, f32)| {
            check((-100.0..=100.0).contains(&bias), "logitBias", bias, "numbers from -100 to 100, by token id")
        };
        self.logit_bias.iter().try_for_each(bias)
    }

    /// Checks that the options name tokens of a vocabulary.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for one that is not.
    pub fn check_vocabulary(&self, vocab_size: usize) -> Result<()> {
        match self.logit_bias.iter().find(|(token, _)| *token as usize >= vocab_size) {
            Some((token, _)) => {
                let (option, expected) = ("logitBias", "token ids of the model's vocabulary");
                Err(Error::InvalidOption { option, found: token.to_string(), expected })
            }
            None => Ok(()),
        }
    }
}

fn check(accepted: bool, option: &'static str, value: f32, expected: &'static str) -> Result<()> {
    if accepted {
        return Ok(());
    }
    Err(Error::InvalidOption { option, found: value.to_string(), expected })
}

/// A seed from the platform's entropy: of 32 bits, short enough to write down, and exact in JavaScript.
pub(crate) fn random_seed() -> u64 {
    // Every platform that the engine runs on has entropy. One that refuses it once still has a clock.
    getrandom::u32().map_or_else(|_| u64::from(clock_seed()), u64::from)
}

fn clock_seed() -> u32 {
    web_time::SystemTime::now().duration_since(web_time::SystemTime::UNIX_EPOCH).map_or(0, |now| now.subsec_nanos())
}

/// Samples tokens one after another. A clone goes on exactly as the original would.
#[derive(Debug, Clone)]
pub struct Sampler {
    options: SamplerOptions,
    prepared: Prepared,
    random: Pcg32,
    recent: VecDeque<u32>,
    /// How often each token of `recent` occurs there.
    occurrences: HashMap<u32, u32>,
    /// Kept between calls so that its memory is taken once.
    candidates: Vec<Candidate>,
    /// How many of the likeliest tokens are reported with each that is sampled; `None` reports nothing.
    top_logprobs: Option<usize>,
    /// The tokens that may be sampled; `None` for all.
    allowed: Option<TokenMask>,
    /// The report of the last one, until it is taken.
    logprobs: Option<Logprobs>,
}

impl Sampler {
    /// Starts with no history and with the generator at the seed, or at a random one.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] as of [`SamplerOptions::validate`].
    pub fn new(options: SamplerOptions) -> Result<Self> {
        options.validate()?;
        let seed = options.seed.unwrap_or_else(random_seed);
        Ok(Self {
            prepared: Prepared::new(&options),
            random: Pcg32::new(seed),
            options: SamplerOptions { seed: Some(seed), ..options },
            recent: VecDeque::new(),
            occurrences: HashMap::new(),
            candidates: Vec::new(),
            top_logprobs: None,
            allowed: None,
            logprobs: None,
        })
    }

    /// The seed that it started from: with it, the same options sample the same tokens again.
    pub fn seed(&self) -> u64 {
        // There is one from the beginning.
        self.options.seed.unwrap_or_default()
    }

    /// Adds a token to the history that the penalties look at: those of the prompt, and each that was sampled.
    pub fn accept(&mut self, token: u32) {
        if self.prepared.last_n == 0 {
            return;
        }
        if self.recent.len() == self.prepared.last_n as usize
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

    /// Has [`Sampler::sample`] leave the log-probability of each token, and of so many of the likeliest, for
    /// [`Sampler::take_logprobs`]: those of the logits that it is given.
    pub fn report_logprobs(&mut self, top: Option<usize>) {
        self.top_logprobs = top;
    }

    /// What was reported of the token that was sampled last.
    pub fn take_logprobs(&mut self) -> Option<Logprobs> {
        self.logprobs.take()
    }

    /// Has the tokens that follow sampled among these alone, of which one must have a logit, or among all (`None`).
    pub fn allow(&mut self, tokens: Option<TokenMask>) {
        self.allowed = tokens;
    }

    /// The tokens that may be sampled, where these are not all.
    #[cfg(feature = "gpu")]
    pub(crate) fn allowed(&self) -> Option<&TokenMask> {
        self.allowed.as_ref()
    }

    /// Samples a token from `logits`, one for each id of the vocabulary, which a bias and the penalties change in place.
    ///
    /// A NaN counts as the lowest number, so such a token is sampled only where no other is left. Without logits the
    /// result is 0. [`Sampler::sample`] refuses logits whose highest is not finite.
    pub fn sample_unchecked(&mut self, logits: &mut [f32]) -> u32 {
        let random = self.next_random();
        self.adjust(logits);
        match &self.allowed {
            Some(allowed) => masked::sample(&mut self.candidates, logits, allowed, &self.prepared, random),
            None => filters::sample(&mut self.candidates, logits, &self.prepared, random),
        }
    }

    /// What bias and penalties make of the logits.
    fn adjust(&self, logits: &mut [f32]) {
        for &(token, bias) in &self.options.logit_bias {
            if let Some(logit) = logits.get_mut(token as usize) {
                *logit += bias;
            }
        }
        for (&token, &times) in &self.occurrences {
            if let Some(logit) = logits.get_mut(token as usize) {
                *logit = self.prepared.penalties.apply(*logit, times);
            }
        }
    }

    /// As [`Sampler::sample_unchecked`], where the highest logit is a finite number: that of a damaged model may not be.
    ///
    /// # Errors
    /// [`Error::NotFinite`]; the sampler is then as it was.
    pub fn sample(&mut self, logits: &mut [f32]) -> Result<u32> {
        if !highest_is_finite(logits) {
            return Err(Error::NotFinite { what: HIGHEST_LOGIT.into() });
        }
        let Some(top) = self.top_logprobs else { return Ok(self.sample_unchecked(logits)) };
        let own = logits.to_vec();
        let id = self.sample_unchecked(logits);
        self.logprobs = Some(Logprobs::of(&own, id, top));
        Ok(id)
    }

    /// Whether it samples as no device does: by logits that are read back.
    #[cfg(feature = "gpu")]
    pub(crate) fn needs_logits(&self) -> bool {
        self.top_logprobs.is_some() || !self.options.logit_bias.is_empty()
    }

    /// The random number for the next token. [`Sampler::sample_unchecked`] takes one per token, so a caller that samples elsewhere
    /// must do so too.
    pub(crate) fn next_random(&mut self) -> u32 {
        self.random.next()
    }

    /// What the sampler does for a token that is the only one possible: its next draws are the same as after sampling it.
    pub(crate) fn pass_over(&mut self) {
        self.next_random();
    }

    /// Whether each token needs logits, also where it is the only one.
    pub(crate) fn reports_logprobs(&self) -> bool {
        self.top_logprobs.is_some()
    }

    /// The options in the units of the arithmetic.
    #[cfg(feature = "gpu")]
    pub(crate) fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    /// The tokens that the penalties look at, oldest first: `last_n` at the most.
    #[cfg(feature = "gpu")]
    pub(crate) fn recent(&self) -> impl ExactSizeIterator<Item = u32> {
        self.recent.iter().copied()
    }
}
