//! Reading sound GGUF files: the models of `tests/golden`, files written here, and split sets.

use std::path::Path;
use std::rc::Rc;

use crate::support::counting_source::CountingSource;
use crate::support::gguf_writer::*;
use crate::support::golden;
use pollster::block_on;
use web_mamba::gguf::{Array, Gguf, Value};
use web_mamba::quant::DType;
use web_mamba::source::{ByteSource, FileSource, MemorySource};
use web_mamba::{Error, Result};

const MODELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/models");

fn open(files: &[(&str, Vec<u8>)]) -> Result<Gguf> {
    let source =
        |(name, bytes): &(&str, Vec<u8>)| -> Rc<dyn ByteSource> { Rc::new(MemorySource::new(*name, bytes.clone())) };
    block_on(Gguf::open(files.iter().map(source).collect()))
}

fn open_model(name: &str) -> (Gguf, Vec<u8>) {
    let path = Path::new(MODELS).join(name);
    let source = Rc::new(FileSource::open(&path).unwrap());
    (block_on(Gguf::open(vec![source])).unwrap(), std::fs::read(path).unwrap())
}

#[test]
fn every_golden_model_reads() {
    let mut seen = 0;
    for entry in std::fs::read_dir(MODELS).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.contains("-tiny-") || !name.ends_with(".gguf") {
            continue;
        }
        let (gguf, bytes) = open_model(&name);
        assert_eq!(gguf.version, 3, "{name}");
        assert_eq!(gguf.metadata.string("general.architecture").unwrap(), "mamba");
        assert_eq!(gguf.metadata.strings("tokenizer.ggml.tokens").unwrap().len(), 512);
        assert_eq!(gguf.tensors().len(), if name.starts_with("falcon") { 23 } else { 22 });
        assert_eq!(gguf.total_bytes(), bytes.len() as u64);
        // Together the tensors, each padded to 32 bytes, are the data section, which the file ends with.
        let last = gguf.tensors().last().unwrap();
        assert_eq!((last.offset + last.bytes).next_multiple_of(32), bytes.len() as u64);
        let sum: u64 = gguf.tensors().iter().map(|tensor| tensor.bytes.next_multiple_of(32)).sum();
        assert_eq!(gguf.tensors()[0].offset + sum, bytes.len() as u64);
        seen += 1;
    }
    assert!(seen >= 8, "only {seen} models are there");
}

#[test]
fn a_golden_model_in_detail() {
    let (gguf, bytes) = open_model("falcon-tiny-Q4_K_M.gguf");
    assert_eq!(gguf.metadata.u32("mamba.ssm.inner_size").unwrap(), 512);
    assert_eq!(gguf.metadata.f32("mamba.attention.layer_norm_rms_epsilon").unwrap(), 1e-5);
    assert_eq!(gguf.metadata.opt_bool("mamba.ssm.dt_b_c_rms").unwrap(), Some(true));
    assert_eq!(gguf.metadata.strings("tokenizer.ggml.tokens").unwrap()[3], "<|im_end|>");

    let head = &gguf.tensors()[0];
    assert_eq!((head.name.as_str(), head.dtype, head.dims.as_slice()), ("output.weight", DType::Q6_K, &[256, 512][..]));
    assert_eq!((head.columns(), head.rows(), head.bytes, head.part), (256, 512, 512 * 210, 0));
    // The header has 13,117 bytes, and data starts at the next multiple of 32.
    assert_eq!(head.offset, 13_120);

    let tensor = gguf.tensor("blk.1.ssm_out.weight").unwrap();
    assert_eq!((tensor.dtype, tensor.offset), (DType::Q4_K, 13_120 + 693_760));
    let read = block_on(gguf.read(tensor, 144, 288)).unwrap();
    assert_eq!(read, bytes[tensor.offset as usize + 144..][..288]);
    assert!(gguf.tensor("blk.2.ssm_out.weight").is_none());
}

#[test]
fn reads_stay_inside_their_tensor() {
    let (gguf, _) = open_model("mamba-tiny-F16.gguf");
    let tensor = gguf.tensor("output_norm.weight").unwrap();
    assert_eq!(block_on(gguf.read(tensor, 0, 1024)).unwrap().len(), 1024);
    assert_eq!(block_on(gguf.read(tensor, 1024, 0)).unwrap().len(), 0);
    for (offset, length) in [(0, 1025), (1024, 1), (u64::MAX, 1), (u64::MAX - 3, 4)] {
        let error = block_on(gguf.read(tensor, offset, length)).unwrap_err();
        assert!(matches!(error, Error::Read { .. }), "{error:?}");
    }
}

#[test]
fn values_of_every_type_read() {
    let file = GgufWriter::new()
        .pair("u8", U8, [200])
        .pair("i8", I8, [0xff])
        .u16("u16", 65_535)
        .pair("i16", I16, (-2i16).to_le_bytes())
        .u32("u32", u32::MAX)
        .i32("i32", i32::MIN)
        .f32("f32", 1.5)
        .bool("bool", true)
        .string("string", "grüße")
        .pair("u64", U64, u64::MAX.to_le_bytes())
        .pair("i64", I64, i64::MIN.to_le_bytes())
        .pair("f64", F64, 0.1f64.to_le_bytes())
        .strings("strings", &["", "a"])
        .pair("empty", ARRAY, array(F32, 0, &[]))
        .pair("bytes", ARRAY, array(I8, 2, &[1, 0xfe]))
        .pair("nested", ARRAY, array(ARRAY, 2, &[array(U16, 1, &[1, 2]), array(BOOL, 1, &[1])].concat()));
    let gguf = open(&[("a", file.build())]).unwrap();
    let expected = [
        ("bool", Value::Bool(true)),
        ("bytes", Value::Array(Array::Signed(vec![1, -2]))),
        ("empty", Value::Array(Array::Float(vec![]))),
        ("f32", Value::Float(1.5)),
        ("f64", Value::Float(0.1)),
        ("i16", Value::Signed(-2)),
        ("i32", Value::Signed(i32::MIN.into())),
        ("i64", Value::Signed(i64::MIN)),
        ("i8", Value::Signed(-1)),
        ("nested", Value::Array(Array::Array(vec![Array::Unsigned(vec![513]), Array::Bool(vec![true])]))),
        ("string", Value::String("grüße".into())),
        ("strings", Value::Array(Array::String(vec!["".into(), "a".into()]))),
        ("u16", Value::Unsigned(65_535)),
        ("u32", Value::Unsigned(u32::MAX.into())),
        ("u64", Value::Unsigned(u64::MAX)),
        ("u8", Value::Unsigned(200)),
    ];
    assert_eq!(gguf.metadata.sorted(), expected.iter().map(|(k, v)| (*k, v)).collect::<Vec<_>>());
    assert!(gguf.tensors().is_empty(), "a file of a vocabulary alone is sound");
}

#[test]
fn alignment_is_followed() {
    for alignment in [8, 64, 4096] {
        let file = GgufWriter { alignment, ..GgufWriter::new() }
            .u32("general.alignment", alignment as u32)
            .tensor("a", 0, &[1], vec![1, 2, 3, 4])
            .tensor("b", 0, &[1, 1, 1, 1], vec![5, 6, 7, 8]);
        let gguf = open(&[("a", file.build())]).unwrap();
        let b = gguf.tensor("b").unwrap();
        assert_eq!(b.offset, gguf.tensors()[0].offset + alignment as u64);
        assert_eq!(block_on(gguf.read(b, 0, 4)).unwrap(), [5, 6, 7, 8]);
    }
}

#[test]
fn a_large_vocabulary_takes_few_requests() {
    let tokens: Vec<String> = (0..65_024).map(|n| format!("token number {n} of a vocabulary")).collect();
    let file = GgufWriter::new().strings("tokens", &tokens).tensor("data", 0, &[1 << 20], vec![0; 4 << 20]);
    let header = file.header().len() as u64;
    let source = Rc::new(CountingSource::new(file.build()));
    let gguf = block_on(Gguf::open(vec![source.clone()])).unwrap();
    assert_eq!(gguf.metadata.strings("tokens").unwrap(), tokens);
    assert!(source.reads.get() <= 8, "{} reads for {header} bytes", source.reads.get());
    assert!(source.requested.get() <= header + (1 << 20), "no more than one window past the header");
}

#[test]
fn a_source_that_answers_short_is_an_error() {
    struct Short;
    impl ByteSource for Short {
        fn name(&self) -> &str {
            "short"
        }
        fn len(&self) -> u64 {
            1000
        }
        fn read(&self, _: u64, _: usize) -> futures_util::future::LocalBoxFuture<'_, Result<Vec<u8>>> {
            Box::pin(std::future::ready(Ok(b"GG".to_vec())))
        }
    }
    let error = block_on(Gguf::open(vec![Rc::new(Short)])).err().unwrap();
    assert!(matches!(error, Error::Read { offset: 0, length: 1000, .. }), "{error:?}");
}

/// The whole model, and the same in three parts as `gguf-split` writes them.
fn whole_and_parts() -> (GgufWriter, Vec<GgufWriter>) {
    let tensors = [("a", 5), ("b", 1), ("c", 9), ("d", 4), ("e", 2)];
    let add = |writer: GgufWriter, (name, len): (&str, u64)| {
        let data = (0..len * 4).map(|n| n as u8 ^ name.as_bytes()[0]).collect();
        writer.tensor(name, 0, &[len], data)
    };
    let metadata = || GgufWriter::new().string("general.architecture", "mamba").strings("tokens", &["x", "y"]);
    let part = |writer: GgufWriter, number, range: std::ops::Range<usize>| {
        let keys = writer.u16("split.no", number).u16("split.count", 3).i32("split.tensors.count", 5);
        tensors[range].iter().copied().fold(keys, add)
    };
    let whole = tensors.into_iter().fold(metadata(), add);
    (whole, vec![part(metadata(), 0, 0..2), part(GgufWriter::new(), 1, 2..3), part(GgufWriter::new(), 2, 3..5)])
}

fn built(parts: &[GgufWriter]) -> Vec<(&'static str, Vec<u8>)> {
    ["one", "two", "three", "four"].into_iter().zip(parts.iter().map(GgufWriter::build)).collect()
}

#[test]
fn a_split_set_reads_as_the_whole_in_any_order() {
    let (whole, parts) = whole_and_parts();
    let whole = open(&[("whole", whole.build())]).unwrap();
    let files = built(&parts);
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let split = open(&order.map(|index| files[index].clone())).unwrap();
        assert_eq!(split.total_bytes(), files.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>());
        let named: Vec<_> = split.sources().iter().map(|source| source.name().to_owned()).collect();
        assert_eq!(named, ["one", "two", "three"]);
        for (key, value) in whole.metadata.sorted() {
            assert_eq!(split.metadata.get(key), Some(value));
        }
        assert_eq!(split.tensors().len(), 5);
        for ((ours, theirs), part) in split.tensors().iter().zip(whole.tensors()).zip([0, 0, 1, 2, 2]) {
            assert_eq!((&ours.name, ours.dtype, &ours.dims), (&theirs.name, theirs.dtype, &theirs.dims));
            assert_eq!(ours.part, part);
            let length = ours.bytes as usize;
            let read = block_on(split.read(ours, 0, length)).unwrap();
            assert_eq!(read, block_on(whole.read(theirs, 0, length)).unwrap());
        }
    }
}

#[test]
fn incomplete_and_mixed_sets_are_refused() {
    let (whole, parts) = whole_and_parts();
    let check = |chosen: &[GgufWriter], says: &str| match open(&built(chosen)).err() {
        Some(Error::Split { problem }) => assert!(problem.contains(says), "{problem}"),
        other => panic!("{says}: {other:?}"),
    };
    let [one, two, three] = [0, 1, 2].map(|index: usize| parts[index].clone());
    let changed = |change: fn(&mut GgufWriter)| {
        let mut part = three.clone();
        change(&mut part);
        [one.clone(), two.clone(), part]
    };
    check(&[], "no file");
    check(std::slice::from_ref(&one), "of 3 parts these are missing: 2 to 3");
    check(std::slice::from_ref(&two), "of 3 parts these are missing: 1, 3");
    check(&[three.clone(), one.clone()], "of 3 parts these are missing: 2");
    check(&[one.clone(), one.clone(), two.clone()], "`one` and `two` are both part 1 of 3");
    check(&[one.clone(), two.clone(), three.clone(), two.clone()], "`two` and `four` are both part 2 of 3");
    check(&[whole.clone(), two.clone()], "`one` is a whole model");
    check(&[one.clone(), whole.clone()], "`two` is a whole model");
    check(&changed(|w| w.pairs[1].payload = vec![4, 0]), "`one` is one of 3 parts, `three` one of 4");
    check(&changed(|w| w.pairs[0].payload = vec![3, 0]), "`three` says that it is part 4 of 3");
    check(&changed(|w| w.pairs[2].payload = vec![6, 0, 0, 0]), "differ in `split.tensors.count`");
    check(&changed(|w| *w = w.clone().string("general.architecture", "llama")), "differ in `general.architecture`");
    check(&changed(|w| w.tensors.truncate(1)), "should have 5 tensors and has 4");
    check(&changed(|w| w.tensors[0].name = b"a".to_vec()), "tensor `a` is in two parts");

    let missing = changed(|w| w.pairs.retain(|pair| pair.key != b"split.no"));
    assert_eq!(open(&built(&missing)).err(), Some(Error::MissingKey { key: "split.no".into() }));
}

/// Other readers compare every dimension, so the models that we write must have the very dimensions of files that others wrote.
#[test]
fn a_written_tensor_has_the_dimensions_that_other_writers_gave_it() {
    let mut compared = 0;
    for golden in golden::all() {
        let file = golden::open(&golden::folder().join("models").join(&golden.file));
        for spec in &file.network.tensors {
            assert_eq!(spec.dims(), file.gguf.tensor(&spec.name()).unwrap().dims, "{}: {}", golden.file, spec.name());
            compared += 1;
        }
    }
    assert!(compared > 0);
}
