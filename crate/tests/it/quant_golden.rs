//! `decode_row` against values that the `gguf` Python package decoded, bit for bit. `tests/golden/README.md` says how
//! they were made.

use proptest::prelude::*;
use std::path::Path;
use web_mamba::quant::{DType, decode_row};

/// One set of blocks of a type and the values that they decode to.
struct Golden {
    name: String,
    blocks: Vec<u8>,
    values: Vec<f32>,
}

/// The set `random` or `llama` of a type; a missing file fails the test, so that no type goes unchecked.
fn golden(dtype: DType, set: &str) -> Golden {
    let name = format!("{dtype}-{set}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/blocks");
    let read = |extension: &str| {
        let path = folder.join(format!("{name}.{extension}"));
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run scripts/make-golden", path.display()))
    };
    let values: Vec<f32> = read("f32").as_chunks::<4>().0.iter().copied().map(f32::from_le_bytes).collect();
    assert!(values.len() >= 1024 && values.iter().any(|&value| value != 0.0), "{name} tests next to nothing");
    Golden { blocks: read("blocks"), values, name }
}

/// Compares bits, because -0.0 == 0.0.
fn assert_same_bits(name: &str, actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len(), "{name}");
    for (i, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        assert!(actual.to_bits() == expected.to_bits(), "{name}, value {i}: {actual:e} in place of {expected:e}");
    }
}

#[test]
fn every_type_decodes_to_the_golden_bits() {
    for dtype in DType::all() {
        for set in ["random", "llama"] {
            let golden = golden(dtype, set);
            // NaN, so that a value never written shows.
            let mut decoded = vec![f32::NAN; golden.values.len()];
            decode_row(dtype, &golden.blocks, &mut decoded);
            assert_same_bits(&golden.name, &decoded, &golden.values);
        }
    }
}

#[test]
fn golden_scales_reach_the_corners_of_f16() {
    for dtype in DType::all() {
        let values = golden(dtype, "random").values;
        assert!(values.iter().any(|value| value.to_bits() == (-0.0_f32).to_bits()), "{dtype} never yields -0.0");
        assert!(values.iter().any(|value| value.abs() > 1e4), "{dtype} never yields a large value");
        let smallest = values.iter().map(|value| value.abs()).filter(|&value| value > 0.0).fold(f32::MAX, f32::min);
        assert!(smallest < 6.2e-5, "{dtype} yields nothing below the smallest normal f16");
    }
}

#[test]
#[should_panic = "a row of 64 Q8_0 values cannot be 67 bytes long"]
fn a_row_of_the_wrong_length_is_refused() {
    decode_row(DType::Q8_0, &[0; 67], &mut [0.0; 64]);
}

#[test]
#[should_panic = "a row of 33 Q4_0 values cannot be 18 bytes long"]
fn a_row_that_is_not_whole_blocks_is_refused() {
    decode_row(DType::Q4_0, &[0; 18], &mut [0.0; 33]);
}

proptest! {
    #[test]
    fn any_bytes_decode_the_same_in_one_row_as_in_two(
        dtype in prop::sample::select(DType::all().collect::<Vec<_>>()),
        blocks in 0..12_usize,
        split in 0..12_usize,
        seed in prop::collection::vec(any::<u8>(), 12 * 256),
    ) {
        let split = split.min(blocks);
        let bytes = &seed[..blocks * dtype.block_bytes()];
        let mut whole = vec![0.0; blocks * dtype.block_len()];
        decode_row(dtype, bytes, &mut whole);

        let mut parts = vec![0.0; whole.len()];
        let (first, second) = parts.split_at_mut(split * dtype.block_len());
        let (first_bytes, second_bytes) = bytes.split_at(split * dtype.block_bytes());
        decode_row(dtype, first_bytes, first);
        decode_row(dtype, second_bytes, second);

        // Any bytes may hold NaN scales; their payload is not part of the contract.
        let bits = |values: &[f32]| values.iter().map(|v| if v.is_nan() { 0x7fc0_0000 } else { v.to_bits() }).collect::<Vec<_>>();
        prop_assert_eq!(bits(&whole), bits(&parts));
    }
}
