#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::arithmetic::{HEAVIEST, Scale, clean, cleaned, part, weight};
use super::filters::{keep_top_k, keep_top_p, likelier};
use super::*;

/// Every filter off and temperature 1: the plain distribution.
fn plain() -> SamplerOptions {
    SamplerOptions { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0, seed: Some(1), ..Default::default() }
}

/// Logits of these probabilities.
fn logits_of(probabilities: &[f32]) -> Vec<f32> {
    probabilities.iter().map(|p| p.ln()).collect()
}

/// How often each token is drawn in `draws` draws.
fn histogram(options: SamplerOptions, logits: &[f32], draws: usize) -> Vec<usize> {
    let mut sampler = Sampler::new(options).unwrap();
    let mut counts = vec![0; logits.len()];
    for _ in 0..draws {
        counts[sampler.sample_unchecked(&mut logits.to_vec()) as usize] += 1;
    }
    counts
}

/// The tokens that are ever drawn.
fn survivors(options: SamplerOptions, logits: &[f32]) -> Vec<usize> {
    let counts = histogram(options, logits, 2000);
    (0..counts.len()).filter(|&token| counts[token] > 0).collect()
}

fn chi_square(counts: &[usize], probabilities: &[f64]) -> f64 {
    let draws = counts.iter().sum::<usize>() as f64;
    let term = |(&count, p): (&usize, &f64)| (count as f64 - p * draws).powi(2) / (p * draws);
    counts.iter().zip(probabilities).map(term).sum()
}

#[test]
fn pcg32_matches_the_reference() {
    // The first line that `pcg32-demo` of the reference prints for `pcg32_srandom(42, 54)`.
    let mut random = Pcg32::new(42);
    let numbers: Vec<u32> = (0..6).map(|_| random.next()).collect();
    assert_eq!(numbers, [0xa15c02b7, 0x7b47f409, 0xba1d3330, 0x83d2f293, 0xbfa4784b, 0xcbed606e]);
}

/// Against the system's exponential: the weight itself, and with the distance that leads to it. What is rounded away
/// below the last bit of a weight counts beside the relative error.
#[test]
fn weights_are_exponentials() {
    for distance in (0..1 << 30).step_by(997) {
        let exact = f64::from(HEAVIEST) * (-f64::from(distance) / f64::from(1 << 25)).exp2();
        let found = f64::from(weight(distance));
        assert!((found - exact).abs() <= 1.5e-7 * exact + 1.0, "weight({distance}) = {found}, not {exact}");
    }
    assert_eq!([0, 1 << 25, 31 << 25, 1 << 30, u32::MAX].map(weight), [HEAVIEST, HEAVIEST / 2, 1, 0, 0]);

    for temperature in [1e-25, 0.01, 0.7, 1.0, 5.0, 1e6, 1e36] {
        let scale = Scale::new(temperature);
        for step in 0..3000u32 {
            let below = temperature * step as f32 * 0.007;
            let exact = f64::from(HEAVIEST) * (-f64::from(below) / f64::from(temperature)).exp();
            let found = f64::from(weight(scale.distance(0.0, -below)));
            assert!((found - exact).abs() <= 2e-6 * exact + 1.0, "e^(-{below} / {temperature}): {found}, not {exact}");
        }
    }
}

/// Not one of the 2^25 steps from a weight to its half goes up: nearer is never less likely.
#[test]
fn weights_never_rise_with_the_distance() {
    let mut last = weight(0);
    for distance in 1..=1 << 25 {
        let this = weight(distance);
        assert!(this <= last, "weight({distance}) = {this} after {last}");
        last = this;
    }
}

#[test]
fn every_float_has_a_clean_place() {
    let largest = 2f32.powi(126);
    let cases = [
        (f32::NAN, -largest),
        (-f32::NAN, -largest),
        (f32::INFINITY, largest),
        (f32::NEG_INFINITY, -largest),
        (f32::MAX, largest),
        (f32::MIN, -largest),
        (-0.0, 0.0),
        (f32::from_bits(1), 0.0),
        (-f32::MIN_POSITIVE, 0.0),
        (2f32.powi(-125), 2f32.powi(-125)),
        (-1.5, -1.5),
    ];
    for (value, expected) in cases {
        assert_eq!(cleaned(value).to_bits(), expected.to_bits(), "{value}");
    }
    for scale in [Scale::new(0.0), Scale::new(f32::from_bits(1)), Scale::new(1.0), Scale::new(f32::MAX)] {
        assert_eq!(scale.distance(largest, largest), 0);
        assert_eq!(weight(scale.distance(largest, -largest)) == 0, scale != Scale::new(f32::MAX));
        assert_eq!(clean(scale.factor.to_bits()), scale.factor.to_bits(), "a GPU may flush a subnormal factor");
    }
}

#[test]
fn parts_of_sums_are_exact() {
    assert_eq!(part(1 << 51, u32::MAX), ((1 << 51) - (1 << 19), true));
    assert_eq!(part(3, 1 << 31), (1, false));
    assert_eq!(part(4, 1 << 31), (2, true));
    assert_eq!(part(u64::from(u32::MAX), u32::MAX), (u64::from(u32::MAX) - 1, false));
}

#[test]
fn defaults_and_json_names() {
    let options: SamplerOptions = serde_json::from_str("{}").unwrap();
    assert_eq!(options, SamplerOptions::default());
    let json = r#"{"temperature":0.5,"topK":3,"topP":0.25,"minP":0.125,"repetitionPenalty":1.5,
        "frequencyPenalty":0.75,"presencePenalty":-0.5,"penaltyLastN":8,"logitBias":[[3,-100],[9,1.5]],"seed":18446744073709551615,"other":1}"#;
    let expected = SamplerOptions {
        temperature: 0.5,
        top_k: 3,
        top_p: 0.25,
        min_p: 0.125,
        repetition_penalty: 1.5,
        frequency_penalty: 0.75,
        presence_penalty: -0.5,
        penalty_last_n: 8,
        logit_bias: vec![(3, -100.0), (9, 1.5)],
        seed: Some(u64::MAX),
    };
    assert_eq!(serde_json::from_str::<SamplerOptions>(json).unwrap(), expected);
}

#[test]
fn options_outside_their_range_are_refused() {
    type Set = fn(&mut SamplerOptions, f32);
    let cases: [(&str, Set, &[f32]); 6] = [
        ("temperature", |o, v| o.temperature = v, &[-0.1, f32::NAN, f32::INFINITY]),
        ("topP", |o, v| o.top_p = v, &[-0.1, 1.1, f32::NAN]),
        ("minP", |o, v| o.min_p = v, &[-0.1, 1.1, f32::NAN]),
        ("repetitionPenalty", |o, v| o.repetition_penalty = v, &[0.0, -1.0, f32::NAN, f32::INFINITY]),
        ("frequencyPenalty", |o, v| o.frequency_penalty = v, &[f32::NAN, f32::NEG_INFINITY]),
        ("presencePenalty", |o, v| o.presence_penalty = v, &[f32::NAN, f32::INFINITY]),
    ];
    for (name, set, values) in cases {
        for &value in values {
            let mut options = SamplerOptions::default();
            set(&mut options, value);
            match Sampler::new(options).err() {
                Some(Error::InvalidOption { option, .. }) => assert_eq!(option, name),
                other => panic!("{name} = {value}: {other:?}"),
            }
        }
    }
    let edges = SamplerOptions { temperature: 0.0, top_p: 0.0, min_p: 1.0, ..Default::default() };
    edges.validate().unwrap();
}

#[test]
fn a_bias_outside_its_range_is_refused() {
    for bias in [vec![(0, 100.5)], vec![(0, f32::NAN)], vec![(1, 0.0), (0, f32::NEG_INFINITY)], vec![(0, 1.0); 4097]] {
        let refused = Sampler::new(SamplerOptions { logit_bias: bias, ..Default::default() }).err();
        assert!(matches!(refused, Some(Error::InvalidOption { option: "logitBias", .. })), "{refused:?}");
    }
    let edges = SamplerOptions { logit_bias: vec![(7, 100.0); 4096], ..Default::default() };
    edges.validate().unwrap();
    edges.check_vocabulary(8).unwrap();
    assert!(matches!(edges.check_vocabulary(7), Err(Error::InvalidOption { option: "logitBias", .. })));
}

#[test]
fn a_bias_comes_before_the_penalties() {
    let options = SamplerOptions {
        temperature: 0.0,
        repetition_penalty: 2.0,
        logit_bias: vec![(1, 3.0), (2, -100.0), (99, 1.0)],
        ..Default::default()
    };
    let mut sampler = Sampler::new(options.clone()).unwrap();
    sampler.accept(1);
    let mut logits = [1.0, -1.0, 50.0];
    assert_eq!(sampler.sample_unchecked(&mut logits), 0);
    // Of equals, the lowest id.
    assert_eq!(logits, [1.0, 1.0, -50.0]);
    // It is part of the state that an interrupted completion goes on with.
    let state: SamplerState = serde_json::from_str(&serde_json::to_string(&sampler.state()).unwrap()).unwrap();
    assert_eq!(state.options.logit_bias, options.logit_bias);
}

#[test]
fn log_probabilities_are_those_of_the_logits_as_they_came() {
    let options = SamplerOptions { temperature: 0.0, logit_bias: vec![(0, 100.0)], ..Default::default() };
    let mut sampler = Sampler::new(options).unwrap();
    let own = [0.0f32, 2.0, 2.0, f32::NEG_INFINITY, 1.0, f32::NAN];
    assert_eq!(sampler.sample(&mut own.clone()).unwrap(), 0);
    assert_eq!(sampler.take_logprobs(), None);
    sampler.report_logprobs(Some(3));
    assert_eq!(sampler.sample(&mut own.clone()).unwrap(), 0);
    let sum = 1.0 + 2.0 * 2f64.exp() + 1f64.exp();
    let Logprobs { sampled, top } = sampler.take_logprobs().unwrap();
    assert_eq!((sampled.id, top.iter().map(|top| top.id).collect::<Vec<_>>()), (0, vec![1, 2, 4]));
    assert!((sampled.logprob + sum.ln()).abs() < 1e-12);
    assert!((top[0].logprob - (2.0 - sum.ln())).abs() < 1e-12);
    assert_eq!(sampler.take_logprobs(), None);
    // What has no probability has a logarithm all the same, as JSON requires.
    for token in [3, 5] {
        let all = Logprobs::of(&own, token, 20);
        assert!(all.sampled.logprob < -1e30 && all.sampled.logprob.is_finite());
        assert_eq!(all.top.len(), own.len());
    }
    // Far from 0, nothing overflows.
    assert_eq!(Logprobs::of(&[1e30, 0.0], 0, 0).sampled.logprob, 0.0);
}

#[test]
fn greedy_takes_the_lowest_of_equals() {
    let mut sampler = Sampler::new(SamplerOptions { temperature: 0.0, ..Default::default() }).unwrap();
    assert_eq!(sampler.sample_unchecked(&mut [1.0, 3.0, 3.0, 2.0]), 1);
    assert_eq!(sampler.sample_unchecked(&mut [f32::NAN, -1.0, f32::NEG_INFINITY]), 1);
    assert_eq!(sampler.sample_unchecked(&mut [0.0, f32::INFINITY, f32::INFINITY]), 1);
}

#[test]
fn penalties_have_their_exact_values() {
    let options = SamplerOptions {
        temperature: 0.0,
        repetition_penalty: 2.0,
        frequency_penalty: 0.25,
        presence_penalty: 0.5,
        penalty_last_n: 4,
        ..Default::default()
    };
    let mut sampler = Sampler::new(options).unwrap();
    // Token 4 falls out of the last four; 999 is in no vocabulary and must be passed over.
    for token in [4, 0, 1, 1, 999] {
        sampler.accept(token);
    }
    let mut logits = [4.0, -3.0, 1.0, 0.0, 2.0];
    // Token 0: 4 / 2 - (1 * 0.25 + 0.5); token 1: -3 * 2 - (2 * 0.25 + 0.5).
    assert_eq!(sampler.sample_unchecked(&mut logits), 4);
    assert_eq!(logits, [1.25, -7.0, 1.0, 0.0, 2.0]);

    sampler.accept(4);
    assert_eq!(sampler.sample_unchecked(&mut [4.0, -3.0, 1.0, 0.0, 2.0]), 0, "token 0 fell out, token 4 came in");
}

#[test]
fn no_window_means_no_penalty() {
    let options = SamplerOptions { repetition_penalty: 9.0, penalty_last_n: 0, temperature: 0.0, ..Default::default() };
    let mut sampler = Sampler::new(options).unwrap();
    sampler.accept(0);
    let mut logits = [2.0, 1.0];
    assert_eq!(sampler.sample_unchecked(&mut logits), 0);
    assert_eq!(logits, [2.0, 1.0]);
}

#[test]
fn filters_keep_exactly_these_tokens() {
    let logits = logits_of(&[0.1, 0.4, 0.2, 0.3]);
    let check = |change: fn(&mut SamplerOptions), expected: &[usize]| {
        let mut options = plain();
        change(&mut options);
        assert_eq!(survivors(options.clone(), &logits), expected, "{options:?}");
    };
    check(|_| {}, &[0, 1, 2, 3]);
    check(|o| o.top_k = 1, &[1]);
    check(|o| o.top_k = 3, &[1, 2, 3]);
    check(|o| o.top_k = 100, &[0, 1, 2, 3]);
    check(|o| o.top_p = 0.0, &[1]);
    check(|o| o.top_p = 0.35, &[1]);
    check(|o| o.top_p = 0.65, &[1, 3]);
    check(|o| o.top_p = 0.75, &[1, 2, 3]);
    check(|o| o.min_p = 1.0, &[1]);
    // 0.6 * 0.4 is between 0.2 and 0.3.
    check(|o| o.min_p = 0.6, &[1, 3]);
    check(|o| o.min_p = 0.3, &[1, 2, 3]);
}

#[test]
fn filters_run_in_order() {
    let logits = logits_of(&[0.4, 0.3, 0.2, 0.1]);
    // Of two tokens the first has 4/7 = 0.571 of the probability, so top-p after top-k keeps it alone.
    assert_eq!(survivors(SamplerOptions { top_k: 2, top_p: 0.55, ..plain() }, &logits), [0]);
    assert_eq!(survivors(SamplerOptions { top_p: 0.55, ..plain() }, &logits), [0, 1]);
    // A temperature of 100 makes all alike, and one of 0.01 leaves one, but neither is seen by top-p and min-p.
    for temperature in [100.0, 1.0] {
        assert_eq!(survivors(SamplerOptions { temperature, top_p: 0.55, ..plain() }, &logits), [0, 1]);
        assert_eq!(survivors(SamplerOptions { temperature, min_p: 0.45, ..plain() }, &logits), [0, 1, 2]);
    }
}

#[test]
fn draws_follow_the_distribution() {
    // The 0.999 quantile of chi-square with 4 degrees of freedom; the seed is fixed, so this passes always or never.
    const LIMIT: f64 = 18.47;
    let logits = logits_of(&[0.05, 0.4, 0.15, 0.3, 0.1]);
    let counts = histogram(plain(), &logits, 20_000);
    assert!(chi_square(&counts, &[0.05, 0.4, 0.15, 0.3, 0.1]) < LIMIT, "{counts:?}");

    // At temperature 0.5 the probabilities are the squares: sum 0.285.
    let counts = histogram(SamplerOptions { temperature: 0.5, ..plain() }, &logits, 20_000);
    let squares = [0.0025, 0.16, 0.0225, 0.09, 0.01].map(|square| square / 0.285);
    assert!(chi_square(&counts, &squares) < LIMIT, "{counts:?}");
}

#[test]
fn borders_are_exact() {
    let token = |options: SamplerOptions, random| {
        filters::sample(&mut Vec::new(), &[0.0; 641], &Prepared::new(&options), random)
    };
    // The sum of four equal weights, and random numbers at its quarters and just before.
    for k in 0..4 {
        let four = SamplerOptions { top_k: 4, ..plain() };
        assert_eq!(token(four.clone(), k << 30), k);
        assert_eq!(token(four, (k << 30) + ((1 << 30) - 1)), k);
    }
    // Euler: 641 * 6,700,417 = 2^32 + 1, so this fraction of 641 weights is half a unit more than one weight.
    let just_two = SamplerOptions { top_p: 6_700_417.0 * 2f32.powi(-32), ..plain() };
    assert_eq!([0, (1 << 31) - 1, 1 << 31, u32::MAX].map(|random| token(just_two.clone(), random)), [0, 0, 1, 1]);
}

#[test]
fn a_seed_gives_the_same_tokens_everywhere() {
    let logits: Vec<f32> = (0..1000u32).map(|token| (token * 7919 % 1000) as f32 / 125.0).collect();
    let tokens = |seed| -> Vec<u32> {
        let options = SamplerOptions { temperature: 1.3, top_k: 200, seed: Some(seed), ..Default::default() };
        let mut sampler = Sampler::new(options).unwrap();
        (0..12).map(|_| sampler.sample_unchecked(&mut logits.clone())).collect()
    };
    // An independent implementation in Python, with `math.exp`, draws the same.
    assert_eq!(tokens(42), [630, 494, 729, 519, 754, 803, 754, 508, 902, 964, 210, 124]);
    assert_eq!(tokens(42), tokens(42));
    assert_ne!(tokens(42), tokens(43));
}

#[test]
fn a_clone_goes_on_alike() {
    let options = SamplerOptions { repetition_penalty: 1.2, ..plain() };
    let mut sampler = Sampler::new(options).unwrap();
    let step = |sampler: &mut Sampler| {
        let token = sampler.sample_unchecked(&mut [0.5; 64]);
        sampler.accept(token);
        token
    };
    for _ in 0..10 {
        step(&mut sampler);
    }
    let mut fork = sampler.clone();
    for _ in 0..20 {
        assert_eq!(step(&mut sampler), step(&mut fork));
    }
}

#[test]
fn logits_that_are_no_numbers_are_survived() {
    let mut sampler = Sampler::new(SamplerOptions { top_p: 0.9, ..plain() }).unwrap();
    assert_eq!(sampler.sample_unchecked(&mut []), 0);
    assert!(sampler.sample_unchecked(&mut [f32::NAN; 3]) < 3);
    assert!(sampler.sample_unchecked(&mut [f32::NEG_INFINITY; 3]) < 3);
    for _ in 0..100 {
        assert_eq!(sampler.sample_unchecked(&mut [f32::NAN, 0.0, f32::NEG_INFINITY]), 1);
        assert_eq!(sampler.sample_unchecked(&mut [f32::NAN, 1e30, f32::INFINITY, f32::NEG_INFINITY]), 2);
    }
    let smallest = SamplerOptions { temperature: f32::from_bits(1), ..plain() };
    assert_eq!(Sampler::new(smallest).unwrap().sample_unchecked(&mut [-1e38, 1e38, 0.0]), 1);
}

/// Few distinct values, so that ties are common, and the odd ones that must not panic.
fn any_logit() -> impl Strategy<Value = f32> {
    prop_oneof![
        8 => (-12i8..12).prop_map(|n| f32::from(n) / 4.0),
        4 => -30f32..30.0,
        1 => prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, -0.0]),
    ]
}

proptest! {
    #[test]
    fn top_k_is_the_head_of_a_full_sort(logits in prop::collection::vec(any_logit(), 0..2000), k in 1usize..300) {
        let mut sorted = Vec::new();
        keep_top_k(&mut sorted, &logits, 0);
        sorted.sort_by(likelier);
        sorted.truncate(k);
        let mut kept = Vec::new();
        keep_top_k(&mut kept, &logits, k);
        prop_assert_eq!(kept, sorted);
    }

    #[test]
    fn top_p_is_a_head_of_a_full_sort(logits in prop::collection::vec(-3f32..3.0, 1..2000), p in 0f32..1.0) {
        let mut kept = Vec::new();
        keep_top_k(&mut kept, &logits, 0);
        let mut sorted = kept.clone();
        sorted.sort_by(likelier);
        let prepared = Prepared::new(&SamplerOptions { top_p: p, ..Default::default() });
        keep_top_p(&mut kept, prepared.top_p);
        kept.sort_by(likelier);
        prop_assert_eq!(&kept[..], &sorted[..kept.len()]);

        let mass = |candidates: &[Candidate]| candidates.iter().map(|c| f64::from(c.logit).exp()).sum::<f64>();
        let target = mass(&sorted) * f64::from(p);
        prop_assert!(mass(&kept) >= target * (1.0 - 1e-6));
        prop_assert!(kept.len() == 1 || mass(&kept[..kept.len() - 1]) < target * (1.0 + 1e-6));
    }

    #[test]
    fn any_logits_and_options_give_a_token(
        logits in prop::collection::vec(any_logit(), 1..300),
        temperature in 0f32..3.0, top_k in 0usize..50, top_p in 0f32..=1.0, min_p in 0f32..=1.0,
        penalty in -1e38f32..1e38, history in prop::collection::vec(0u32..400, 0..100), seed: u64,
    ) {
        let options = SamplerOptions {
            temperature, top_k, top_p, min_p, repetition_penalty: 1e20, frequency_penalty: penalty,
            presence_penalty: -penalty, seed: Some(seed), ..Default::default()
        };
        let mut sampler = Sampler::new(options).unwrap();
        history.iter().for_each(|&token| sampler.accept(token));
        prop_assert!((sampler.sample_unchecked(&mut logits.clone()) as usize) < logits.len());
    }
}

/// `cargo test --release --lib how_long -- --ignored --nocapture`: not a test, as times differ between machines.
#[test]
#[ignore = "prints times"]
fn how_long_a_choice_takes() {
    let mut random = Pcg32::new(5);
    let mut unit = || f64::from(random.next()) / 2f64.powi(32);
    for vocab_size in [65_024, 131_072] {
        // About normal, with a deviation of 3.
        let logits: Vec<f32> =
            (0..vocab_size).map(|_| ((0..12).map(|_| unit()).sum::<f64>() * 3.0 - 18.0) as f32).collect();
        let all = SamplerOptions { top_k: 0, top_p: 1.0, min_p: 0.0, ..Default::default() };
        for (name, options) in [
            ("default", SamplerOptions::default()),
            ("greedy", SamplerOptions { temperature: 0.0, ..Default::default() }),
            ("top-p 0.95", SamplerOptions { top_p: 0.95, ..all.clone() }),
            ("min-p 0.05", SamplerOptions { min_p: 0.05, ..all.clone() }),
            ("all", all.clone()),
        ] {
            let mut sampler = Sampler::new(options).unwrap();
            let mut logits = logits.clone();
            let start = std::time::Instant::now();
            (0..200).for_each(|_| _ = sampler.sample_unchecked(&mut logits));
            println!("{vocab_size} tokens, {name}: {:?}", start.elapsed() / 200);
        }
    }
}
