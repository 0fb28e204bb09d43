//! The device's tokens against the processor's, which must be the same ones.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod arithmetic;

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Instant;

use pollster::block_on;

use super::*;
use crate::gpu::device::GpuOptions;
use crate::gpu::kernels::NOT_FINITE;
use crate::sampler::SamplerOptions;

/// Choices of one submission, all from the same logits, so that only history and random numbers change between them.
const STEPS: usize = 4;

/// A device with a sampler, and buffers of its own for what an executor would give it.
struct Rig {
    gpu: Gpu,
    sampler: GpuSampler,
    shape: SamplingShape,
    logits: wgpu::Buffer,
    tokens: wgpu::Buffer,
    staging: wgpu::Buffer,
    /// Of each step and row.
    randoms: RefCell<Vec<Vec<u32>>>,
}

impl Rig {
    /// Rows of logits lie further apart than the vocabulary is large.
    fn new(vocab_size: usize, rows: usize, steps: usize, invocations: u32) -> Self {
        let gpu = block_on(Gpu::open(&GpuOptions::default())).expect("a GPU, or a software Vulkan");
        let shape = SamplingShape { vocab_size, stride: vocab_size + 5, rows, steps };
        let make = |words: usize, usage| {
            let size = 4 * words as u64;
            gpu.device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
        };
        let storage = wgpu::BufferUsages::STORAGE;
        let logits = make(rows * shape.stride, storage | wgpu::BufferUsages::COPY_DST);
        let tokens = make(rows, storage | wgpu::BufferUsages::COPY_SRC);
        let staging = make((steps + 1) * rows, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        let programs = GpuSampler::programs_for(&gpu, invocations);
        let mut pipelines = Pipelines::default();
        let sampler = GpuSampler::with_programs(&gpu, &mut pipelines, programs, shape, &logits, &tokens).unwrap();
        let randoms = RefCell::new(vec![vec![0; rows]; steps]);
        Self { gpu, sampler, shape, logits, tokens, staging, randoms }
    }

    /// Says which random number a row's choice takes in a step.
    fn random(&self, step: usize, row: usize, random: u32) {
        let mut randoms = self.randoms.borrow_mut();
        randoms[step][row] = random;
        self.sampler.prepare_step(step, &randoms[step]);
    }

    /// Puts logits into a row. What lies between the rows is likelier than any token, and must not be seen.
    fn write(&self, row: usize, logits: &[f32]) {
        let mut padded = logits.to_vec();
        padded.resize(self.shape.stride, f32::MAX);
        let at = 4 * (row * self.shape.stride) as u64;
        self.gpu.queue.write_buffer(&self.logits, at, bytemuck::cast_slice(&padded));
    }

    /// Runs all steps in one submission, for the first `rows` rows; gives the tokens of each step.
    fn run(&self, rows: usize) -> Vec<Vec<u32>> {
        let SamplingShape { rows: stride, steps, .. } = self.shape;
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        (0..steps).for_each(|step| self.sampler.encode(&mut pass, step, rows));
        drop(pass);
        let bytes = 4 * (steps * stride) as u64;
        encoder.copy_buffer_to_buffer(self.sampler.ids(), 0, &self.staging, 0, bytes);
        encoder.copy_buffer_to_buffer(&self.tokens, 0, &self.staging, bytes, 4 * stride as u64);
        self.gpu.queue.submit([encoder.finish()]);
        let read = block_on(self.gpu.read_floats(&self.staging, (steps + 1) * stride)).unwrap();
        let mut steps: Vec<Vec<u32>> =
            read.chunks(stride).map(|step| step[..rows].iter().map(|id| id.to_bits()).collect()).collect();
        let tokens = steps.pop();
        let last = steps.last().map(|ids| ids.iter().map(|id| id & !NOT_FINITE).collect());
        assert_eq!(tokens, last, "the next step reads other tokens than the host");
        steps
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }

    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }

    /// About normal, of deviation 1.
    fn normal(&mut self) -> f32 {
        ((0..4).map(|_| self.unit()).sum::<f32>() - 2.0) * 3f32.sqrt()
    }
}

const ODD: [f32; 10] =
    [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 0.0, -0.0, f32::MIN_POSITIVE, -1e-40, 1e30];
const KINDS: usize = 10;

fn make_logits(kind: usize, vocab_size: usize, random: &mut Random) -> Vec<f32> {
    let likely = 1 + random.below(20);
    let constant = random.of(&[0.0, -7.25, 1e30, f32::NAN, f32::NEG_INFINITY, f32::INFINITY]);
    let one = |random: &mut Random| match kind {
        0 => 3.0 * random.normal(),
        // Peaked.
        1 => random.normal() + if random.below(vocab_size) < likely { 15.0 } else { 0.0 },
        // Flat.
        2 => 0.01 * random.unit(),
        3 => constant,
        // Ties, many or few.
        4 => (2.0 * random.normal()).round(),
        5 => (200.0 * random.normal()).round() / 100.0,
        6 => {
            if random.below(8) == 0 {
                random.of(&ODD)
            } else {
                random.normal()
            }
        }
        // Every float.
        7 => f32::from_bits(random.next() as u32),
        // Distinct logits at the same distance.
        8 => 1e-8 * random.unit(),
        // Far below the highest, but not beyond what a temperature of 5 makes of it.
        _ => {
            if random.below(vocab_size) == 0 {
                40.0
            } else {
                5.0 * random.unit()
            }
        }
    };
    (0..vocab_size).map(|_| one(random)).collect()
}

fn make_options(vocab_size: usize, random: &mut Random) -> SamplerOptions {
    let default = SamplerOptions { seed: Some(random.next()), ..Default::default() };
    if random.below(8) == 0 {
        return default;
    }
    let (repetition, other) = ([1.0, 1.3, 0.5, 1e20, 1e-40, 3e38], [0.0, 0.5, -0.5, 1e38, -1e38, 1e-42]);
    let penalised = random.below(2) == 0;
    SamplerOptions {
        temperature: random.of(&[0.0, 0.01, 0.7, 0.7, 1.0, 5.0, 1e-40, 1e30]),
        top_k: random.of(&[0, 0, 1, 2, 40, 40, 200, 256, 257, 300, 5000, vocab_size, vocab_size + 1, usize::MAX]),
        top_p: random.of(&[0.0, 0.1, 0.5, 0.95, 0.95, 1.0, 1.0, 1e-12]),
        min_p: random.of(&[0.0, 0.0, 0.05, 0.5, 1.0, 1e-12]),
        repetition_penalty: if penalised { random.of(&repetition) } else { 1.0 },
        frequency_penalty: if penalised { random.of(&other) } else { 0.0 },
        presence_penalty: if penalised { random.of(&other) } else { 0.0 },
        penalty_last_n: random.of(&[0, 1, 3, 64, 64, 1000, usize::MAX]),
        ..default
    }
}

const MASKS: usize = 8;

/// A mask that leaves at least one token. Some have fewer words than the vocabulary needs, some allow what is not in it.
fn make_mask(kind: usize, logits: &[f32], random: &mut Random) -> TokenMask {
    let vocab_size = logits.len();
    let mut mask = TokenMask::default();
    let mut allow = |is_allowed: &mut dyn FnMut(usize) -> bool| {
        (0..vocab_size).filter(|&token| is_allowed(token)).for_each(|token| mask.insert(token as u32));
    };
    match kind {
        // One alone.
        0 => {}
        1 => allow(&mut |token| token + 1 == vocab_size),
        // A few, and whole chunks without any.
        2 => (0..random.below(40)).for_each(|_| mask.insert(random.below(vocab_size) as u32)),
        3 => allow(&mut |_| random.below(8) == 0),
        // Nothing that is likely: what is left is beyond the reach of min-p and top-p, were the others there.
        4 => allow(&mut |token| logits[token] < 0.0),
        5 => allow(&mut |_| random.below(8) != 0),
        6 => allow(&mut |token| token % 32 == 31 || token > 1000),
        _ => mask = TokenMask::all(vocab_size + 70),
    }
    if mask.iter().all(|token| token as usize >= vocab_size) {
        mask.insert(random.below(vocab_size) as u32);
    }
    mask
}

/// Compares `cases` submissions; gives how many choices there were.
fn check(rig: &Rig, cases: usize, random: &mut Random) -> usize {
    check_masked(rig, cases, |_, _, _| None, random)
}

/// As [`check`], with the mask of each row of a case, if it has one.
fn check_masked(
    rig: &Rig,
    cases: usize,
    mask_of: impl Fn(usize, &[f32], &mut Random) -> Option<TokenMask>,
    random: &mut Random,
) -> usize {
    let SamplingShape { vocab_size, rows, steps, .. } = rig.shape;
    for case in 0..cases {
        // Now and then fewer rows than there could be.
        let rows = if random.below(4) == 0 { 1 } else { rows };
        let mut expected = vec![vec![0; rows]; steps];
        let mut inputs = Vec::new();
        for row in 0..rows {
            let kind = (case + row) % KINDS;
            let logits = make_logits(kind, vocab_size, random);
            let options = make_options(vocab_size, random);
            let mut sampler = Sampler::new(options.clone()).unwrap();
            for _ in 0..random.of(&[0, 1, 10, 100]) {
                // Often the same few, and some outside of the vocabulary.
                let range = random.of(&[3, vocab_size + 3]);
                sampler.accept(random.below(range) as u32);
            }
            let mask = mask_of(case + row, &logits, random);
            sampler.allow(mask.clone());
            rig.write(row, &logits);
            rig.sampler.start(row, &sampler);
            mask.iter().for_each(|mask| rig.sampler.write_mask(row, mask));
            for (step, expected) in expected.iter_mut().enumerate() {
                rig.random(step, row, sampler.clone().next_random());
                let refused = sampler.clone().sample(&mut logits.clone()).is_err();
                let token = sampler.sample_unchecked(&mut logits.clone());
                sampler.accept(token);
                expected[row] = if refused { token | NOT_FINITE } else { token };
            }
            inputs.push((kind, options, mask.map(|mask| mask.iter().count())));
        }
        assert_eq!(
            rig.run(rows),
            expected,
            "vocabulary of {vocab_size}, case {case}: (kind, options, allowed) by row {inputs:?}"
        );
    }
    cases * rows * steps
}

#[test]
fn tokens_are_those_of_the_processor() {
    let mut choices = 0;
    for (i, vocab_size) in [1, 2, 5, 255, 256, 257, 1000, 5003].into_iter().enumerate() {
        for (rows, invocations, cases) in [(1, 256, 20), (3, 256, 60), (3, 1024, 30)] {
            let mut random = Random(100 * i as u64 + u64::from(invocations) + rows as u64);
            choices += check(&Rig::new(vocab_size, rows, STEPS, invocations), cases, &mut random);
        }
    }
    assert!(choices > 5_000, "only {choices} choices");
}

#[test]
fn tokens_of_large_vocabularies_are_those_of_the_processor() {
    for (vocab_size, rows, invocations) in [(65_024, 3, 256), (65_024, 1, 1024), (131_072, 3, 1024), (131_072, 1, 256)]
    {
        check(&Rig::new(vocab_size, rows, STEPS, invocations), 2 * KINDS, &mut Random(vocab_size as u64));
    }
    check(&Rig::new(MAX_VOCAB_SIZE, 1, 2, 256), KINDS, &mut Random(7));
}

/// One row in four has no mask, beside others that have.
fn some_mask(case: usize, logits: &[f32], random: &mut Random) -> Option<TokenMask> {
    (random.below(4) > 0).then(|| make_mask(case % MASKS, logits, random))
}

#[test]
fn masked_tokens_are_those_of_the_processor() {
    let mut choices = 0;
    for (i, vocab_size) in [1, 2, 31, 32, 33, 255, 257, 1000, 5003].into_iter().enumerate() {
        for (rows, invocations, cases) in [(1, 256, 24), (3, 256, 60), (3, 1024, 30)] {
            let mut random = Random(1000 * i as u64 + u64::from(invocations) + rows as u64);
            let rig = Rig::new(vocab_size, rows, STEPS, invocations);
            choices += check_masked(&rig, cases, some_mask, &mut random);
        }
    }
    assert!(choices > 5_000, "only {choices} choices");
    for (vocab_size, rows, invocations) in [(65_024, 3, 256), (65_537, 1, 1024), (131_079, 2, 1024)] {
        let rig = Rig::new(vocab_size, rows, STEPS, invocations);
        check_masked(&rig, 3 * MASKS, some_mask, &mut Random(vocab_size as u64));
    }
}

/// What is masked is out of reach whatever its logit, and top-k counts what is left.
#[test]
fn a_mask_comes_before_the_filters() {
    let vocab_size = 1000;
    let rig = Rig::new(vocab_size, 1, STEPS, 256);
    let mut logits = vec![20.0; vocab_size];
    let allowed = [7, 500, 999];
    allowed.iter().for_each(|&token| logits[token as usize] = -20.0);
    rig.write(0, &logits);
    let mut mask = TokenMask::default();
    allowed.iter().for_each(|&token| mask.insert(token));
    let all = SamplerOptions { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0, ..Default::default() };
    for options in [
        all.clone(),
        SamplerOptions { min_p: 0.5, ..all.clone() },
        SamplerOptions { top_p: 0.99, ..all.clone() },
        SamplerOptions { top_k: 3, ..all.clone() },
        SamplerOptions { top_k: 500, ..all },
    ] {
        let mut sampler = Sampler::new(options.clone()).unwrap();
        sampler.allow(Some(mask.clone()));
        rig.sampler.start(0, &sampler);
        rig.sampler.write_mask(0, &mask);
        // A third of the numbers for each of three that are alike, and the last again.
        [0, 1 << 31, u32::MAX, u32::MAX].into_iter().enumerate().for_each(|(step, random)| rig.random(step, 0, random));
        assert_eq!(rig.run(1), [7, 500, 999, 999].map(|token| vec![token]), "{options:?}");
    }
}

/// Were every token the likeliest, the comparisons above would mean nothing.
#[test]
fn other_random_numbers_give_other_tokens() {
    let vocab_size = 65_024;
    let rig = Rig::new(vocab_size, 2, 32, 256);
    let logits = make_logits(2, vocab_size, &mut Random(1));
    for (row, seed) in [(0, 1), (1, 2)] {
        let options = SamplerOptions {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            seed: Some(seed),
            ..Default::default()
        };
        let mut sampler = Sampler::new(options).unwrap();
        rig.write(row, &logits);
        rig.sampler.start(row, &sampler);
        (0..32).for_each(|step| rig.random(step, row, sampler.next_random()));
    }
    let steps = rig.run(2);
    let distinct: HashSet<u32> = steps.iter().flatten().copied().collect();
    // Of 64 draws among 65,024 tokens some may meet.
    assert!(distinct.len() > 60, "{} distinct tokens of 64", distinct.len());
    let quarters: HashSet<u32> = distinct.iter().map(|id| id / (vocab_size as u32 / 4)).collect();
    assert!(quarters.len() >= 4, "draws come from {quarters:?} of four quarters alone");
}

/// As the processor's test of this name, whose comments say what the numbers are.
#[test]
fn borders_are_exact() {
    let plain = SamplerOptions { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0, ..Default::default() };
    let four = SamplerOptions { top_k: 4, ..plain.clone() };
    let just_two = SamplerOptions { top_p: 6_700_417.0 * 2f32.powi(-32), ..plain };
    let before = |random: u32| random.wrapping_sub(1);
    for (vocab_size, options, randoms, tokens) in [
        (641, &four, [1 << 30, 2 << 30, 3 << 30, 0], [1, 2, 3, 0]),
        (641, &four, [1 << 30, 2 << 30, 3 << 30, 0].map(before), [0, 1, 2, 3]),
        (5, &four, [1 << 30, 2 << 30, 3 << 30, 0], [1, 2, 3, 0]),
        (5, &four, [1 << 30, 2 << 30, 3 << 30, 0].map(before), [0, 1, 2, 3]),
        (641, &just_two, [0, before(1 << 31), 1 << 31, u32::MAX], [0, 0, 1, 1]),
    ] {
        let rig = Rig::new(vocab_size, 1, STEPS, 256);
        rig.write(0, &vec![0.0; vocab_size]);
        rig.sampler.start(0, &Sampler::new(options.clone()).unwrap());
        (0..STEPS).for_each(|step| rig.random(step, 0, randoms[step]));
        assert_eq!(rig.run(1), tokens.map(|token| vec![token]), "{vocab_size} tokens, {randoms:?}");
    }
}

/// Over many steps the ring comes around, and what falls out of it is penalised no more. What is not in the vocabulary falls
/// out of the first row without a trace in the second.
#[test]
fn history_is_kept_over_many_steps() {
    let (vocab_size, steps) = (50, 200);
    let rig = Rig::new(vocab_size, 2, steps, 256);
    let logits = make_logits(0, vocab_size, &mut Random(3));
    (0..2).for_each(|row| rig.write(row, &logits));
    for penalty_last_n in [1, 7, 20, 150, 400] {
        let mut expected = vec![vec![0; 2]; steps];
        for row in 0..2 {
            let seed = row as u64;
            let penalties = SamplerOptions { frequency_penalty: 0.3, presence_penalty: 2.0, ..Default::default() };
            let options = SamplerOptions { penalty_last_n, seed: Some(seed), ..penalties };
            let mut sampler = Sampler::new(options).unwrap();
            (45..65).for_each(|token| sampler.accept(token));
            rig.sampler.start(row, &sampler);
            for (step, expected) in expected.iter_mut().enumerate() {
                rig.random(step, row, sampler.clone().next_random());
                expected[row] = sampler.sample_unchecked(&mut logits.clone());
                sampler.accept(expected[row]);
            }
        }
        assert_eq!(rig.run(2), expected, "the last {penalty_last_n}");
        let distinct: HashSet<u32> = expected.iter().flatten().copied().collect();
        assert!(distinct.len() > 3, "penalties change no choice: {distinct:?}");
    }
}

#[test]
fn shapes_that_the_kernels_do_not_take_are_refused() {
    let rig = Rig::new(4, 1, 1, 256);
    let make = |shape| GpuSampler::new(&rig.gpu, &mut Pipelines::default(), shape, &rig.logits, &rig.tokens);
    for vocab_size in [0, MAX_VOCAB_SIZE + 1] {
        let shape = SamplingShape { vocab_size, stride: vocab_size, ..rig.shape };
        assert!(make(shape).is_none(), "{vocab_size}");
    }
    assert!(make(rig.shape).is_some());
}

/// `cargo test --release --lib how_long -- --ignored --nocapture`: not a test, as times differ between machines.
#[test]
#[ignore = "prints times"]
fn how_long_a_choice_takes() {
    const REPEATED: usize = 100;
    for (vocab_size, rows) in [(65_024, 1), (65_024, 8), (131_072, 1)] {
        let logits = make_logits(0, vocab_size, &mut Random(9));
        let all = SamplerOptions { top_k: 0, top_p: 1.0, min_p: 0.0, ..Default::default() };
        for (name, options) in [
            ("default", SamplerOptions::default()),
            ("default, repetition 1.1", SamplerOptions { repetition_penalty: 1.1, ..Default::default() }),
            ("greedy", SamplerOptions { temperature: 0.0, ..Default::default() }),
            ("top-k 1000", SamplerOptions { top_k: 1000, ..all.clone() }),
            ("top-p 0.95", SamplerOptions { top_p: 0.95, ..all.clone() }),
            ("min-p 0.05", SamplerOptions { min_p: 0.05, ..all.clone() }),
            ("all", all.clone()),
        ] {
            for invocations in [256, 1024] {
                let rig = Rig::new(vocab_size, rows, REPEATED, invocations);
                let mut sampler = Sampler::new(options.clone()).unwrap();
                for row in 0..rows {
                    rig.write(row, &logits);
                    rig.sampler.start(row, &sampler);
                    (0..REPEATED).for_each(|step| rig.random(step, row, sampler.next_random()));
                }
                rig.run(rows);
                let start = Instant::now();
                rig.run(rows);
                let each = start.elapsed() / REPEATED as u32;
                let adapter = rig.gpu.adapter_name();
                println!("{adapter}: {vocab_size} tokens, {rows} rows, {invocations} invocations, {name}: {each:?}");
            }
        }
    }
}
