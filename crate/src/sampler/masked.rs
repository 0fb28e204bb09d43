//! Samples among some of the tokens: the others are gone before the filters see any.

use super::arithmetic::cleaned;
use super::filters::{self, Candidate, likelier};
use super::prepared::Prepared;
use crate::constraint::TokenMask;

/// As [`filters::sample`], among the tokens of a mask that have a logit; 0 where there are none.
pub fn sample(
    candidates: &mut Vec<Candidate>,
    logits: &[f32],
    allowed: &TokenMask,
    prepared: &Prepared,
    random: u32,
) -> u32 {
    candidates.clear();
    let logit = |token: u32| logits.get(token as usize).map(|&logit| Candidate { token, logit: cleaned(logit) });
    candidates.extend(allowed.iter().filter_map(logit));
    // Greedily the likeliest is taken, whatever the filters.
    let top_k = if prepared.greedy { 1 } else { prepared.top_k as usize };
    if top_k > 0 && candidates.len() > top_k {
        candidates.select_nth_unstable_by(top_k - 1, likelier);
        candidates.truncate(top_k);
    }
    if prepared.greedy {
        return candidates.first().map_or(0, |candidate| candidate.token);
    }
    filters::keep_top_p(candidates, prepared.top_p);
    filters::keep_min_p(candidates, prepared.min_p_distance);
    filters::draw(candidates, &prepared.temperature, random)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::constraint::TokenMask;
    use crate::sampler::{Sampler, SamplerOptions};

    fn logits(seed: u32) -> Vec<f32> {
        (0..500u32).map(|token| ((token + seed).wrapping_mul(2_654_435_761) >> 20) as f32 / 300.0).collect()
    }

    fn settings() -> Vec<SamplerOptions> {
        let seed = Some(7);
        let hot = SamplerOptions { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0, seed, ..Default::default() };
        vec![
            SamplerOptions { seed, ..Default::default() },
            SamplerOptions { temperature: 0.0, seed, ..Default::default() },
            SamplerOptions { top_p: 0.5, ..hot.clone() },
            SamplerOptions { min_p: 0.3, top_k: 7, ..hot.clone() },
            SamplerOptions { repetition_penalty: 1.5, frequency_penalty: 0.5, ..hot.clone() },
            hot,
        ]
    }

    /// With the other tokens' logits out of reach, an unmasked sampler chooses the same.
    #[test]
    fn a_mask_is_as_if_there_were_no_other_tokens() {
        for options in settings() {
            let (mut masked, mut plain) = (Sampler::new(options.clone()).unwrap(), Sampler::new(options).unwrap());
            for seed in 0..200 {
                let mut allowed = TokenMask::default();
                (0..500).filter(|token| (token * 31 + seed) % 7 == 0).for_each(|token| allowed.insert(token));
                let (mut one, mut other) = (logits(seed), logits(seed));
                for (token, logit) in (0..).zip(&mut other) {
                    if !allowed.contains(token) {
                        *logit = f32::NEG_INFINITY;
                    }
                }
                masked.allow(Some(allowed.clone()));
                let token = masked.sample(&mut one).unwrap();
                assert!(allowed.contains(token), "token {token} is masked");
                assert_eq!(token, plain.sample(&mut other).unwrap());
                masked.accept(token);
                plain.accept(token);
            }
        }
    }

    #[test]
    fn a_full_mask_changes_nothing() {
        for options in settings() {
            let (mut masked, mut plain) = (Sampler::new(options.clone()).unwrap(), Sampler::new(options).unwrap());
            masked.allow(Some(TokenMask::all(500)));
            for seed in 0..50 {
                let token = masked.sample(&mut logits(seed)).unwrap();
                assert_eq!(token, plain.sample(&mut logits(seed)).unwrap());
            }
        }
    }

    /// Even where what is masked is infinitely likelier, and nothing that is allowed has any weight beside it.
    #[test]
    fn what_is_masked_is_never_sampled() {
        for options in settings() {
            let mut sampler = Sampler::new(options).unwrap();
            let mut allowed = TokenMask::default();
            allowed.insert(4);
            allowed.insert(1000);
            sampler.allow(Some(allowed));
            for lowest in [-1e30, f32::NEG_INFINITY, f32::NAN] {
                let mut logits = vec![1e30; 8];
                logits[4] = lowest;
                assert_eq!(sampler.sample(&mut logits).unwrap(), 4);
            }
        }
    }
}
