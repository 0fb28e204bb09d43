//! State files that are whole, old, cut, altered or made by an enemy.

use std::rc::Rc;

use pollster::block_on;
use proptest::prelude::*;
use web_mamba::engine::{BackendChoice, LoadOptions, Model};
use web_mamba::error::Error;
use web_mamba::executor::Activations;
use web_mamba::fingerprint::{BeginningHash, ModelHash};
use web_mamba::model::arch::Architecture as _;
use web_mamba::model::arch::mamba::Mamba;
use web_mamba::model::arch::rwkv7::{Ranks, Rwkv7};
use web_mamba::model::{Network, State};
use web_mamba::sampler::{Sampler, SamplerOptions};
use web_mamba::snapshot::{Numbers, Snapshot, StateShape};
use web_mamba::source::{ByteSource, FileSource};
use web_mamba::tokenizer::ChatMessage;

const HASH: ModelHash = ModelHash([7; 16]);

fn network(d_conv: usize, vocab_size: usize) -> Network {
    let (rms_eps, norm_dt_b_c) = (1e-5, false);
    let mamba = Mamba { d_model: 8, d_inner: 6, d_state: 4, d_conv, dt_rank: 2, n_layers: 3, rms_eps, norm_dt_b_c };
    Rc::new(mamba).network(vocab_size, true)
}

fn snapshot(d_conv: usize) -> Snapshot {
    snapshot_of(&network(d_conv, 50))
}

/// Of RWKV-7, which began from a tuned state.
fn rwkv7_snapshot() -> Snapshot {
    let ranks = Ranks { decay: 2, iclr: 2, value_residual: 2, gate: 2 };
    let sizes = Rwkv7 { d_model: 16, head_size: 16, d_ffn: 6, ranks, n_layers: 2, eps: 1e-5 };
    Snapshot { beginning: Some(BeginningHash([0xa7; 16])), ..snapshot_of(&Rc::new(sizes).network(50, false)) }
}

fn snapshot_of(network: &Network) -> Snapshot {
    let mut state = State::new(network);
    state.tensors.iter_mut().flatten().enumerate().for_each(|(i, x)| *x = (i as f32 * 0.37).sin() * 100.0);
    state.position = 5;
    let mut sampler =
        Sampler::new(SamplerOptions { temperature: 0.3, seed: Some(u64::MAX), ..Default::default() }).unwrap();
    sampler.accept(3);
    Snapshot {
        model: HASH,
        shape: Rc::new(StateShape::new(network)),
        beginning: None,
        state: Rc::new(state),
        tokens: [1, 2, 3, 4, 49].into(),
        pending: Some(6),
        sampler: Some(sampler.state()),
        messages: vec![ChatMessage::new("system", "Ein Handbuch, “so”.")],
    }
}

#[test]
fn a_file_gives_back_what_was_saved() {
    for d_conv in [4, 1] {
        let snapshot = snapshot(d_conv);
        assert_eq!(Snapshot::from_bytes(&snapshot.to_bytes(Numbers::F32).unwrap()).unwrap(), snapshot);
        let halves = snapshot.to_bytes(Numbers::F16).unwrap();
        let back = Snapshot::from_bytes(&halves).unwrap();
        assert_eq!((&back.tokens, &back.sampler), (&snapshot.tokens, &snapshot.sampler));
        let numbers = back.state.tensors.iter().flatten().zip(snapshot.state.tensors.iter().flatten());
        let lost = numbers.fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
        assert!(lost > 0.0 && lost <= 100.0 / 2048.0, "{lost}");
        assert!(back.check(&HASH, &network(d_conv, 50)).is_ok());
    }
}

/// The beginning is in the notes alone, and absent for zeros, so that files are as they were.
#[test]
fn a_file_says_what_a_state_began_from() {
    let snapshot = rwkv7_snapshot();
    let bytes = snapshot.to_bytes(Numbers::F32).unwrap();
    assert_eq!(Snapshot::from_bytes(&bytes).unwrap(), snapshot);
    let text = "a7".repeat(16);
    let at = bytes.windows(32).position(|window| window == text.as_bytes()).unwrap();
    let mut altered = bytes.clone();
    altered.truncate(bytes.len() - 16);
    altered[at] = b'g';
    assert_eq!(Snapshot::from_bytes(&mended(altered)).unwrap_err().code(), "state-damaged");
    let zeros = Snapshot { beginning: None, ..snapshot }.to_bytes(Numbers::F32).unwrap();
    assert_eq!(bytes.len() - zeros.len(), r#","beginning":"#.len() + 34);
    assert!(!zeros.windows(9).any(|window| window == b"beginning"));
}

#[test]
fn states_with_numbers_that_are_none_are_refused() {
    for odd in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
        for numbers in [Numbers::F32, Numbers::F16] {
            let mut snapshot = snapshot(4);
            snapshot.check(&HASH, &network(4, 50)).unwrap();
            // No program writes such a file: a good one is changed where its last number lies.
            let mut bytes = snapshot.to_bytes(numbers).unwrap();
            let end = bytes.len() - 16;
            bytes.truncate(end);
            match numbers {
                Numbers::F32 => bytes[end - 4..].copy_from_slice(&odd.to_le_bytes()),
                Numbers::F16 => bytes[end - 2..].copy_from_slice(&half::f16::from_f32(odd).to_le_bytes()),
            }
            let error = Snapshot::from_bytes(&mended(bytes)).unwrap_err();
            assert_eq!(error.code(), "state-damaged", "{odd}, {numbers:?}: {error}");

            let state = Rc::get_mut(&mut snapshot.state).unwrap();
            *if odd.is_nan() { &mut state.tensors[0][1] } else { &mut state.tensors[1][2] } = odd;
            assert_eq!(snapshot.to_bytes(numbers).unwrap_err().code(), "not-finite", "{odd}, {numbers:?}");
            assert_eq!(snapshot.check(&HASH, &network(4, 50)).unwrap_err().code(), "not-finite", "{odd}");
        }
    }
}

/// A scale that is itself finite, and halves that are: their product is not.
#[test]
fn halves_that_overflow_are_refused() {
    let mut bytes = snapshot(4).to_bytes(Numbers::F16).unwrap();
    let end = bytes.len() - 16;
    bytes.truncate(end);
    let layer = 2 * network(4, 50).state[1].floats();
    bytes[end - layer - 4..end - layer].copy_from_slice(&2f32.powi(126).to_le_bytes());
    assert!(matches!(Snapshot::from_bytes(&mended(bytes)), Err(Error::StateDamaged { .. })));
}

#[test]
fn each_fault_has_its_own_error() {
    let bytes = snapshot(4).to_bytes(Numbers::F32).unwrap();
    let code = |bytes: &[u8]| Snapshot::from_bytes(bytes).unwrap_err().code();
    assert_eq!(code(b""), "not-state");
    assert_eq!(code(b"<!doctype html>"), "not-state");
    assert_eq!(code(b"GGUF\x03\0\0\0"), "not-state");
    assert_eq!(code(&bytes[..9]), "state-damaged");
    let mut newer = bytes.clone();
    newer[8] = 9;
    assert_eq!(code(&newer), "state-version");
    let foreign = snapshot(4).check(&ModelHash([8; 16]), &network(4, 50)).unwrap_err();
    assert_eq!(foreign.code(), "state-model");
    assert!(snapshot(4).check(&HASH, &network(3, 50)).is_err());
    assert!(snapshot(4).check(&HASH, &network(4, 51)).is_err());
    for error in [foreign, Error::StateDamaged { problem: String::new() }, Error::NotState { found: vec![] }] {
        assert!(error.remedy().ends_with('.'));
    }
}

/// A file as the first version wrote it.
fn first_version() -> Vec<u8> {
    std::fs::read(crate::support::golden::folder().join("states/first-version.state")).unwrap()
}

/// Its sizes are Mamba's, and its tensors lie in another order.
#[test]
fn a_file_of_the_first_version_is_read() {
    let old = Snapshot::from_bytes(&first_version()).unwrap();
    let bytes = old.to_bytes(Numbers::F32).unwrap();
    assert_eq!((first_version()[8], bytes[8]), (1, 2));
    assert_eq!(Snapshot::from_bytes(&bytes).unwrap(), old);
    let layer = |name: &str| old.shape.tensors.iter().filter(|(tensor, ..)| tensor.ends_with(name)).count();
    assert_eq!((old.shape.architecture.as_str(), layer(".conv"), layer(".ssm")), ("mamba", 2, 2));
    for end in (0..first_version().len()).step_by(97) {
        assert!(Snapshot::from_bytes(&first_version()[..end]).is_err(), "cut at {end}");
    }
    // Layers that take no bytes would take memory.
    let mut empty = first_version();
    empty.truncate(72);
    empty[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
    empty[44..48].copy_from_slice(&0u32.to_le_bytes());
    empty[60..72].fill(0);
    assert_eq!(Snapshot::from_bytes(&mended(empty)).unwrap_err().code(), "state-damaged");
}

/// Its numbers are those that its model has after its tokens.
#[test]
fn a_file_of_the_first_version_holds_what_its_model_remembers() {
    let old = Snapshot::from_bytes(&first_version()).unwrap();
    let folder = crate::support::golden::folder().join("models");
    let models = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut models = models.filter(|path| path.to_string_lossy().contains("mamba-tiny"));
    let found = models.find_map(|path| {
        let source: Rc<dyn ByteSource> = Rc::new(FileSource::open(&path).unwrap());
        let (backend, activations) = (BackendChoice::Cpu, Some(Activations::F32));
        let options = LoadOptions { backend, activations, ..LoadOptions::default() };
        let model = block_on(Model::load(vec![source], &options, &mut |_, _| {})).unwrap();
        (model.hash() == old.model).then_some(model)
    });
    let mut model = found.expect("the model that the file was made with");
    model.check_state(&old).unwrap();
    block_on(model.logits(&old.tokens)).unwrap();
    let state = block_on(model.executor().read_state(0)).unwrap();
    for (a, b) in state.tensors.iter().flatten().zip(old.state.tensors.iter().flatten()) {
        assert!((a - b).abs() <= 1e-3 * a.abs().max(1.0), "{a} is {b} in the file");
    }
}

/// Every length but the right one, every byte but the right one.
#[test]
fn no_cut_and_no_altered_byte_is_loaded() {
    for numbers in [Numbers::F32, Numbers::F16] {
        let bytes = snapshot(4).to_bytes(numbers).unwrap();
        for end in 0..bytes.len() {
            assert!(Snapshot::from_bytes(&bytes[..end]).is_err(), "cut at {end}");
        }
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1 << (at % 8);
            assert!(Snapshot::from_bytes(&altered).is_err(), "altered at {at}");
        }
        assert!(Snapshot::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
    }
}

/// Bytes that are changed with length and checksum corrected afterwards.
fn mended(mut bytes: Vec<u8>) -> Vec<u8> {
    let length = (bytes.len() as u64 + 16).to_le_bytes();
    if bytes.len() >= 24 {
        bytes[16..24].copy_from_slice(&length);
    }
    let checksum = twox_hash::XxHash3_128::oneshot(&bytes).to_le_bytes();
    bytes.extend(checksum);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hostile_files_are_errors_or_states(
        changes in prop::collection::vec((0usize..2000, any::<u8>()), 0..12),
        words in prop::collection::vec((0usize..20, prop::sample::select(vec![0u32, 1, 0xffff, 1 << 20, u32::MAX])), 0..3),
        cut in prop::option::of(0usize..2000),
        halves in any::<bool>(),
        first in any::<bool>(),
        rwkv7 in any::<bool>(),
    ) {
        let snapshot = if rwkv7 { rwkv7_snapshot() } else { snapshot(4) };
        let newest = || snapshot.to_bytes(if halves { Numbers::F16 } else { Numbers::F32 }).unwrap();
        let mut bytes = if first { first_version() } else { newest() };
        bytes.truncate(bytes.len() - 16);
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        for (word, value) in words {
            // Counts and sizes lie in the header.
            bytes[4 * word..4 * word + 4].copy_from_slice(&value.to_le_bytes());
        }
        if let Some(cut) = cut {
            bytes.truncate(cut);
        }
        if let Ok(snapshot) = Snapshot::from_bytes(&mended(bytes)) {
            let shape = snapshot.shape;
            prop_assert!(snapshot.tokens.iter().all(|&token| (token as usize) < shape.vocab_size));
            prop_assert!(snapshot.state.is_finite());
            let lengths = shape.tensors.iter().map(|(_, rows, columns)| rows * columns);
            prop_assert!(lengths.eq(snapshot.state.tensors.iter().map(Vec::len)));
        }
    }

    #[test]
    fn random_bytes_are_errors(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Snapshot::from_bytes(&bytes).is_err());
        for version in [1u8, 2] {
            let after_magic = [b"\x93MSTATE\n".as_slice(), &[version, 0, 0, 0], &bytes].concat();
            prop_assert!(Snapshot::from_bytes(&mended(after_magic)).is_err());
        }
    }
}
