//! Files made to do harm. Whatever the bytes, reading must end in a typed error or a sound index, without a panic, and
//! with no more memory and no more bytes read than the file itself justifies.

use crate::support::memory;
use std::rc::Rc;

use crate::support::counting_source::CountingSource;
use crate::support::gguf_writer::*;
use proptest::prelude::*;
use web_mamba::gguf::Gguf;
use web_mamba::{Error, Result};

/// Opens one source; gives back the result and the memory that it took.
fn open(source: &Rc<CountingSource>) -> (Result<Gguf>, usize) {
    memory::peak(|| pollster::block_on(Gguf::open(vec![source.clone()])))
}

/// Opens a file, and holds the reader to its bounds: each byte is asked for once at most, and memory stays in
/// proportion to the file. The factor is the worst case, a boolean of 1 byte in a vector that doubles, next to the
/// window; the constant is for error texts and the futures.
fn parse(bytes: Vec<u8>) -> Result<Gguf> {
    let len = bytes.len();
    let source = Rc::new(CountingSource::new(bytes));
    let (result, peak) = open(&source);
    assert!(source.requested.get() <= len as u64);
    assert!(peak <= 64 * len + 16384, "{peak} bytes for a file of {len}");
    result
}

fn fault(writer: &GgufWriter) -> Error {
    parse(writer.build()).err().expect("the file is broken")
}

#[track_caller]
fn malformed(writer: &GgufWriter, field: &str, says: &str) {
    match fault(writer) {
        Error::Malformed { place, problem } => {
            assert_eq!(place.field, field);
            assert!(problem.contains(says), "{problem}");
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn too_large(writer: &GgufWriter, field: &str) {
    match fault(writer) {
        Error::TooLarge { place, count, limit } => {
            assert_eq!(place.field, field);
            assert!(count > limit);
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn truncated(writer: &GgufWriter, field: &str) {
    match fault(writer) {
        Error::Truncated { place, needed, available } => {
            assert_eq!(place.field, field);
            assert!(needed > available);
        }
        other => panic!("{other:?}"),
    }
}

/// A file with every type, a nested array, and two tensors.
fn valid() -> GgufWriter {
    let inner = [array(U8, 2, &[1, 2]), array(STRING, 1, &string("x"))].concat();
    GgufWriter::new()
        .string("general.architecture", "mamba")
        .u32("general.alignment", 32)
        .pair("u8", U8, [7])
        .pair("i8", I8, [0x80])
        .u16("u16", 513)
        .pair("i16", I16, (-2i16).to_le_bytes())
        .i32("i32", -3)
        .f32("f32", 1.5)
        .bool("bool", true)
        .pair("u64", U64, u64::MAX.to_le_bytes())
        .pair("i64", I64, i64::MIN.to_le_bytes())
        .pair("f64", F64, 0.1f64.to_le_bytes())
        .strings("tokens", &["a", "", "ü"])
        .pair("bools", ARRAY, array(BOOL, 3, &[1, 0, 1]))
        .pair("nested", ARRAY, array(ARRAY, 2, &inner))
        .tensor("a", 8, &[32, 2], (0..68).collect())
        .tensor("b", 0, &[3], (100..112).collect())
}

fn broken(change: impl FnOnce(&mut GgufWriter)) -> GgufWriter {
    let mut writer = valid();
    change(&mut writer);
    writer
}

#[test]
fn truncation_anywhere_is_found() {
    let whole = valid().build();
    parse(whole.clone()).unwrap();
    for len in 0..whole.len() {
        match parse(whole[..len].to_vec()).err() {
            Some(Error::Truncated { needed, available, .. }) => assert!(needed > available),
            other => panic!("{len} bytes: {other:?}"),
        }
    }
}

#[test]
fn corruption_of_any_header_byte_is_survived() {
    let whole = valid().build();
    for at in 0..valid().header().len() {
        for flip in 1..=255 {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            if let Ok(gguf) = parse(bytes) {
                let inside = |end: u64| end <= whole.len() as u64;
                assert!(gguf.tensors().iter().all(|tensor| inside(tensor.offset + tensor.bytes)));
            }
        }
    }
}

#[test]
fn other_files_are_not_gguf() {
    for bytes in [&b"<!DOCTYPE html>"[..], b"PK\x03\x04", b"X", b"GGML............"] {
        let found = bytes[..bytes.len().min(4)].to_vec();
        assert_eq!(parse(bytes.to_vec()).err(), Some(Error::NotGguf { found }));
    }
}

#[test]
fn other_versions_are_refused() {
    for version in [0, 1, 4, 3u32.swap_bytes(), 2u32.swap_bytes(), u32::MAX] {
        assert_eq!(fault(&broken(|w| w.version = version)), Error::GgufVersion { version });
    }
    parse(broken(|w| w.version = 2).build()).unwrap();
}

#[test]
fn huge_counts_are_refused_where_they_stand() {
    for count in [u64::MAX, 1 << 60, 1 << 32, 1 << 17] {
        too_large(&broken(|w| w.tensor_count = Some(count)), "tensor_count");
        too_large(&broken(|w| w.pair_count = Some(count)), "metadata_kv_count");
    }
    for count in [u64::MAX, 1 << 60, 1 << 32, 1 << 23] {
        for kind in [U8, U64, F32, BOOL, STRING, ARRAY] {
            too_large(&valid().pair("many", ARRAY, array(kind, count, &[0; 999])), "many count");
        }
    }
    for length in [u64::MAX, 1 << 60, 1 << 25] {
        let text = [&length.to_le_bytes()[..], &[b'x'; 999]].concat();
        too_large(&valid().pair("long", STRING, text.clone()), "long length");
        too_large(&valid().pair("long", ARRAY, array(STRING, 1, &text)), "long[0] length");
    }
    too_large(&valid().pair(vec![b'k'; 1 << 16], U8, [0]), "metadata[15] key");
    too_large(&broken(|w| w.tensors[1].name = vec![b'n'; 65]), "tensor[1] name");
    too_large(&broken(|w| w.tensors[1].n_dims = Some(5)), "b number of dimensions");
    too_large(&broken(|w| w.tensors[1].dims = vec![1 << 40, 1 << 40]), "b[1] dimension");
    too_large(&broken(|w| w.tensors[1].dims = vec![u64::MAX]), "b[0] dimension");
    too_large(&broken(|w| w.tensors[1].offset = Some(u64::MAX - 31)), "b offset");
}

#[test]
fn counts_above_what_the_file_holds_are_refused() {
    truncated(&broken(|w| w.tensor_count = Some(1000)), "tensor_count");
    truncated(&broken(|w| w.pair_count = Some(1000)), "metadata_kv_count");
    truncated(&valid().pair("many", ARRAY, array(U8, 100_000, &[0; 99])), "many count");
    truncated(&valid().pair("many", ARRAY, array(STRING, 1000, &[0; 99])), "many count");
    truncated(&valid().pair("long", STRING, 100_000u64.to_le_bytes()), "long length");
}

#[test]
fn places_are_exact() {
    let writer = GgufWriter { tensor_count: Some(u64::MAX), ..GgufWriter::new() };
    assert!(matches!(fault(&writer), Error::TooLarge { place, .. } if place.offset == 8));
    let writer = GgufWriter { pair_count: Some(u64::MAX), ..GgufWriter::new() };
    assert!(matches!(fault(&writer), Error::TooLarge { place, .. } if place.offset == 16));
    // 24 bytes of header, 8 + 3 of the key, 4 of its type, then 4 + 8 of the array's head and two good elements.
    let writer = GgufWriter::new().pair("abc", ARRAY, array(BOOL, 3, &[0, 1, 2]));
    assert!(matches!(fault(&writer), Error::Malformed { place, .. } if place.offset == 53 && place.field == "abc[2]"));
}

#[test]
fn faulty_metadata_is_refused() {
    malformed(&valid().pair("odd", 13, [0; 8]), "odd type", "13");
    malformed(&valid().pair("odd", u32::MAX, [0; 8]), "odd type", "4294967295");
    malformed(&valid().pair("odd", ARRAY, array(13, 0, &[])), "odd element type", "13");
    malformed(&valid().pair("odd", BOOL, [2]), "odd", "2 is not a boolean");
    malformed(&valid().pair("odd", STRING, string(b"ab\xff")), "odd", "byte 2");
    malformed(&valid().strings("odd", &[&b"ok"[..], b"\xc3"]), "odd[1]", "UTF-8");
    malformed(&valid().pair(b"\xff", U8, [0]), "metadata[15] key", "UTF-8");
    malformed(&valid().u32("u8", 1), "u8", "twice");
    for alignment in [0, 1, 4, 24, 33, 1 << 17] {
        malformed(&GgufWriter::new().u32("general.alignment", alignment), "general.alignment", "power of two");
    }
    malformed(&GgufWriter::new().string("general.alignment", "32"), "general.alignment", "a string");
}

#[test]
fn faulty_tensors_are_refused() {
    malformed(&broken(|w| w.tensors[1].dims = vec![3, 0]), "b[1] dimension", "zero");
    malformed(&broken(|w| w.tensors[1].dims.clear()), "b number of dimensions", "one dimension");
    malformed(&broken(|w| w.tensors[0].dims = vec![33]), "a[0] dimension", "blocks of 32 (Q8_0)");
    malformed(&broken(|w| w.tensors[1].offset = Some(97)), "b offset", "alignment, 32");
    malformed(&broken(|w| w.tensors[1].offset = Some(64)), "b", "overlaps tensor `a`");
    malformed(&broken(|w| w.tensors[1].offset = Some(0)), "b", "overlaps tensor `a`");
    malformed(&broken(|w| w.tensors[1].name = b"a".to_vec()), "a", "twice");
    malformed(&broken(|w| w.tensors[1].name = vec![0xff]), "tensor[1] name", "UTF-8");
    truncated(&broken(|w| w.tensors[1].offset = Some(128)), "b");
    truncated(&broken(|w| w.tensors[1].dims = vec![4]), "b");
    truncated(&broken(|w| w.tensors[1].dims = vec![1 << 24, 1 << 24]), "b");
    truncated(&broken(|w| w.tensors[1].offset = Some(1 << 50)), "b");

    let unsupported = |number, name: &str| {
        let expected = Error::TensorType { tensor: "b".into(), dtype: name.into(), needs_f32: false };
        assert_eq!(fault(&broken(|w| w.tensors[1].dtype = number)), expected);
    };
    unsupported(16, "IQ2_XXS");
    unsupported(4, "number 4");
    unsupported(u32::MAX, "number 4294967295");
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth| (1..depth).fold(array(U8, 1, &[1]), |inner, _| array(ARRAY, 1, &inner));
    parse(valid().pair("deep", ARRAY, nested(4)).build()).unwrap();
    too_large(&valid().pair("deep", ARRAY, nested(5)), "deep depth");
    too_large(&valid().pair("deep", ARRAY, nested(10_000)), "deep depth");
}

#[test]
fn arrays_share_one_budget() {
    // Each array alone is below the limit of four million elements, all together are not.
    let part = array(BOOL, 1 << 20, &vec![1; 1 << 20]);
    let mut writer = GgufWriter::new();
    for index in 0..4 {
        writer = writer.pair(format!("array{index}"), ARRAY, part.clone());
    }
    parse(writer.build()).unwrap();
    too_large(&writer.pair("array4", ARRAY, array(BOOL, 1, &[1])), "array4 count");
}

/// A file of a tebibyte, so that what remains of it bounds nothing: the absolute limits must.
#[test]
fn a_vast_file_takes_no_vast_memory() {
    let vast = |writer: GgufWriter| {
        let writer = GgufWriter { pair_count: Some(1), ..writer };
        let source = Rc::new(CountingSource::with_zeros(writer.build(), 1 << 40));
        let (result, peak) = open(&source);
        (result.err(), peak, source.requested.get())
    };
    let refused = [
        GgufWriter::new().pair("x", ARRAY, array(STRING, (4 << 20) + 1, &[])),
        GgufWriter::new().pair("x", ARRAY, array(U8, 1 << 39, &[])),
        GgufWriter::new().pair("x", STRING, (1u64 << 39).to_le_bytes()),
        GgufWriter { tensor_count: Some(1 << 30), ..GgufWriter::new() },
    ];
    for writer in refused {
        let (error, peak, requested) = vast(writer);
        assert!(matches!(error, Some(Error::TooLarge { .. })), "{error:?}");
        assert!(peak < 1 << 18 && requested <= 1 << 16, "{peak} bytes of memory, {requested} requested");
    }

    // Four million empty strings are as bad as it gets: 32 MiB of file become 96 MiB, and twice that while growing.
    let (error, peak, requested) = vast(GgufWriter::new().pair("x", ARRAY, array(STRING, 4 << 20, &[])));
    assert_eq!(error, None);
    assert!(peak < 256 << 20 && requested < 34 << 20, "{peak} bytes of memory, {requested} requested");

    // Arrays of empty arrays without end run into the budget.
    let (error, peak, _) = vast(GgufWriter::new().pair("x", ARRAY, array(ARRAY, 4 << 20, &[])));
    assert_eq!(error, None);
    assert!(peak < 256 << 20, "{peak}");
}

#[test]
fn a_header_without_end_is_refused() {
    // Strings of 15 MiB each: every one is allowed, five together are longer than a header may be.
    let text = vec![b'x'; 15 << 20];
    let writer = (0..5).fold(GgufWriter::new(), |w, index| w.pair(format!("text{index}"), STRING, string(&text)));
    too_large(&writer, "text4 end");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn random_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = parse(bytes.clone());
        let _ = parse([&b"GGUF\x03\0\0\0"[..], &bytes].concat());
        // Small counts, so that the random bytes are read as pairs and tensors.
        let _ = parse([&b"GGUF\x03\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0"[..], &bytes].concat());
    }

    #[test]
    fn random_mutations_are_survived(
        edits in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![Just(0), Just(255), any::<u8>()]), 1..8),
        removed in any::<prop::sample::Index>(),
        length in 0usize..16,
    ) {
        let mut bytes = valid().build();
        for (index, value) in edits {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        let from = removed.index(bytes.len());
        bytes.drain(from..(from + length).min(bytes.len()));
        let _ = parse(bytes);
    }
}
