//! Log-probabilities of tokens, by the model's own logits: before a bias, penalties, filters and temperature change them.

use serde::Serialize;

use super::arithmetic::cleaned;
use super::filters::{Candidate, keep_top_k};

/// The most of the likeliest tokens that can be asked for beside a sampled one.
pub const MAX_TOP_LOGPROBS: usize = 20;

/// A token and the natural logarithm of its probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Logprob {
    /// The token.
    pub id: u32,
    /// 0 for a certain token, else negative; finite for a token of no probability too.
    pub logprob: f64,
}

/// The log-probability of a sampled token, and the likeliest tokens in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Logprobs {
    /// Of the token that was sampled.
    pub sampled: Logprob,
    /// Likeliest first; of equals, the lowest id first.
    pub top: Vec<Logprob>,
}

impl Logprobs {
    /// Of `token` and of the `count` likeliest, by logits of which the highest is finite.
    pub fn of(logits: &[f32], token: u32, count: usize) -> Self {
        let normaliser = log_sum_exp(logits);
        let logprob = |id, logit| Logprob { id, logprob: f64::from(logit) - normaliser };
        let mut top = Vec::new();
        // To `keep_top_k`, 0 are all.
        if count > 0 {
            keep_top_k(&mut top, logits, count);
        }
        let sampled = logits.get(token as usize).copied().unwrap_or(f32::NAN);
        Self {
            sampled: logprob(token, cleaned(sampled)),
            top: top.iter().map(|&Candidate { token, logit }| logprob(token, logit)).collect(),
        }
    }
}

/// The log-probability of `token` by `logits`, of which the highest is finite: `logit - ln(sum(e^logits))`.
pub fn log_probability(logits: &[f32], token: u32) -> f64 {
    Logprobs::of(logits, token, 0).sampled.logprob
}

/// In f64, and from the highest logit on, so that no term overflows.
fn log_sum_exp(logits: &[f32]) -> f64 {
    let highest = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum: f64 = logits.iter().map(|&logit| (f64::from(cleaned(logit)) - f64::from(highest)).exp()).sum();
    f64::from(highest) + sum.ln()
}
