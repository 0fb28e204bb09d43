//! A short round of fuzzing without instruments: every input of the corpora and of the seeds, and mutations of them. The long rounds, which are
//! guided by what they reach, are `scripts/fuzz`; what one of them found is in `tests/fuzz/corpus`, and so is read here from then on.

use std::path::Path;

use web_mamba::quant::SplitMix64;

#[path = "../../../tests/fuzz/src/targets.rs"]
mod targets;

use targets::{TARGETS, Target};

/// Mutations of a target's inputs.
const ROUNDS: u64 = 3000;

/// What a reader is likely to take for a length, an offset or a count.
const EXTREMES: [u64; 8] = [0, 1, 0x7f, 0xff, 0x7fff_ffff, 0xffff_ffff, 1 << 48, u64::MAX];

fn inputs(target: &Target) -> Vec<Vec<u8>> {
    let mut inputs = (target.seeds)();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus").join(target.name);
    if let Ok(entries) = std::fs::read_dir(corpus) {
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        inputs.extend(paths.iter().map(|path| std::fs::read(path).unwrap()));
    }
    inputs
}

/// One to four changes of bytes, of numbers or of lengths.
fn mutated(random: &mut SplitMix64, inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut below = |limit: usize| (random.bits() % limit.max(1) as u64) as usize;
    let mut bytes = inputs[below(inputs.len())].clone();
    for _ in 0..=below(4) {
        let at = below(bytes.len() + 1);
        match below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << below(8),
            1 if at < bytes.len() => bytes[at] = below(256) as u8,
            2 => {
                let extreme = EXTREMES[below(EXTREMES.len())].to_le_bytes();
                let width = [1, 2, 4, 8][below(4)].min(bytes.len() - at);
                bytes[at..at + width].copy_from_slice(&extreme[..width]);
            }
            3 => bytes.truncate(at),
            4 => {
                let end = at + below(bytes.len() - at + 1).min(64);
                let part = bytes[at..end].to_vec();
                let to = below(bytes.len() + 1);
                bytes.splice(to..to, part);
            }
            _ => {
                let other = &inputs[below(inputs.len())];
                let from = below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes
}

#[test]
fn what_reads_untrusted_bytes_survives_mutations_of_sound_ones() {
    for target in TARGETS {
        let inputs = inputs(target);
        assert!(!inputs.is_empty(), "{} has no input", target.name);
        inputs.iter().for_each(|input| (target.run)(input));
        let mut random = SplitMix64::new(7);
        for round in 0..ROUNDS {
            let bytes = mutated(&mut random, &inputs);
            let outcome = std::panic::catch_unwind(|| (target.run)(&bytes));
            assert!(outcome.is_ok(), "{}: mutation {round}, {} bytes", target.name, bytes.len());
        }
    }
}
