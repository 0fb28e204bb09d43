//! The filters and the draw over candidates, with the integer sums of [`super::arithmetic`].

use std::cmp::Ordering;

use super::arithmetic::{Scale, cleaned, part, weight};
use super::prepared::{ALL, Prepared};

/// A token that may still be sampled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    pub token: u32,
    /// Clean.
    pub logit: f32,
}

/// Likeliest first; of equals, the lowest id first. Clean logits always compare.
pub fn likelier(a: &Candidate, b: &Candidate) -> Ordering {
    b.logit.partial_cmp(&a.logit).unwrap_or(Ordering::Equal).then(a.token.cmp(&b.token))
}

/// The token of the highest logit, of equals the lowest; 0 for no logits.
pub fn likeliest(logits: &[f32]) -> u32 {
    let Some(&first) = logits.first() else { return 0 };
    let mut best = Candidate { token: 0, logit: cleaned(first) };
    for (token, &logit) in (0..).zip(logits) {
        // A logit that is not above before cleaning is not above after it, and a NaN never is.
        if logit > best.logit && cleaned(logit) > best.logit {
            best = Candidate { token, logit: cleaned(logit) };
        }
    }
    best.token
}

/// Whether the highest logit, of those that are numbers, is finite.
pub fn highest_is_finite(logits: &[f32]) -> bool {
    // Not `fold` with `max`: this is one pass of whole vectors.
    let (mut finite, mut infinite) = (false, false);
    for logit in logits {
        finite |= logit.is_finite();
        infinite |= *logit == f32::INFINITY;
    }
    finite && !infinite
}

/// Fills `candidates` with the `k` likeliest tokens, sorted; for 0 with all, by id.
///
/// The vocabulary is never sorted: candidates gather up to twice `k`, then the lesser half goes, and what is not above
/// the least that stayed is passed over from then on.
pub fn keep_top_k(candidates: &mut Vec<Candidate>, logits: &[f32], k: usize) {
    candidates.clear();
    let clean = |(token, &logit)| Candidate { token, logit: cleaned(logit) };
    let all = (0..).zip(logits);
    if k == 0 {
        candidates.extend(all.map(clean));
        return;
    }
    let mut floor = None;
    for (token, logit) in all {
        // A later token of the same logit comes after an earlier one in the order, so it cannot displace it; neither can
        // a NaN, the lowest.
        if floor.is_some_and(|floor| *logit <= floor || logit.is_nan()) {
            continue;
        }
        candidates.push(clean((token, logit)));
        if candidates.len() >= k.saturating_mul(2) {
            let (_, least, _) = candidates.select_nth_unstable_by(k - 1, likelier);
            floor = Some(least.logit);
            candidates.truncate(k);
        }
    }
    candidates.sort_unstable_by(likelier);
    candidates.truncate(k);
}

/// Distances of one bin of [`keep_top_p`], as a power of two: 1024 bins.
const BIN_BITS: u32 = 20;
const BINS: usize = 1024;

/// Keeps the fewest likeliest candidates whose probabilities reach `p`, in parts of 2^32; at least one. They keep their
/// order.
///
/// Only candidates about as far from the likeliest as the last one that stays are sorted.
pub fn keep_top_p(candidates: &mut Vec<Candidate>, p: u32) {
    if p == ALL {
        return;
    }
    let scale = Scale::new(1.0);
    let highest = highest_logit(candidates);
    let bin = |distance: u32| (distance >> BIN_BITS) as usize;
    let mut sums = [0u64; BINS];
    for candidate in &*candidates {
        let distance = scale.distance(highest, candidate.logit);
        // What is farther than the last bin has no weight.
        if let Some(sum) = sums.get_mut(bin(distance)) {
            *sum += u64::from(weight(distance));
        }
    }
    let (target, exact) = part(sums.iter().sum(), p);
    let target = (target + u64::from(!exact)).max(1);

    let mut reached = 0;
    let Some(last_bin) = sums.iter().position(|sum| {
        reached += sum;
        reached >= target
    }) else {
        return;
    };
    reached -= sums[last_bin];
    let near_the_last = candidates.iter().filter(|c| bin(scale.distance(highest, c.logit)) == last_bin);
    let mut near_the_last: Vec<_> = near_the_last.copied().collect();
    near_the_last.sort_unstable_by(likelier);
    let last = near_the_last.into_iter().find(|candidate| {
        reached += u64::from(weight(scale.distance(highest, candidate.logit)));
        reached >= target
    });
    if let Some(last) = last {
        candidates.retain(|candidate| likelier(candidate, &last) != Ordering::Greater);
    }
}

/// Keeps the candidates that are near enough to the likeliest, in the order that they have.
pub fn keep_min_p(candidates: &mut Vec<Candidate>, distance: u32) {
    if distance == ALL {
        return;
    }
    let scale = Scale::new(1.0);
    let highest = highest_logit(candidates);
    candidates.retain(|candidate| scale.distance(highest, candidate.logit) <= distance);
}

/// The candidate at `random`, in parts of 2^32, of the weights summed by id; 0 for no candidates.
///
/// In the order of ids a difference of rounding between two almost equal logits moves one border a little; in that of
/// the logits it could make two tokens change places.
pub fn draw(candidates: &mut [Candidate], temperature: &Scale, random: u32) -> u32 {
    candidates.sort_unstable_by_key(|candidate| candidate.token);
    let highest = highest_logit(candidates);
    let weights: Vec<u32> = candidates.iter().map(|c| weight(temperature.distance(highest, c.logit))).collect();
    let (target, _) = part(weights.iter().map(|&weight| u64::from(weight)).sum(), random);
    let mut reached = 0;
    let drawn = candidates.iter().zip(weights).find(|&(_, weight)| {
        reached += u64::from(weight);
        // Strictly, so that a token of no weight is never drawn. The target is below the sum.
        reached > target
    });
    drawn.map_or(0, |(candidate, _)| candidate.token)
}

fn highest_logit(candidates: &[Candidate]) -> f32 {
    candidates.iter().map(|candidate| candidate.logit).fold(f32::MIN, f32::max)
}

/// The token that the filters and the draw give; `candidates` is memory to work in.
pub fn sample(candidates: &mut Vec<Candidate>, logits: &[f32], prepared: &Prepared, random: u32) -> u32 {
    if prepared.greedy {
        return likeliest(logits);
    }
    keep_top_k(candidates, logits, prepared.top_k as usize);
    keep_top_p(candidates, prepared.top_p);
    keep_min_p(candidates, prepared.min_p_distance);
    draw(candidates, &prepared.temperature, random)
}
