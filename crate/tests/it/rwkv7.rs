//! RWKV-7 beyond its logits (`golden_logits`): its state, its arithmetic in 8 bits, threads, ranks, batches, and files that are not it.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use crate::support::batches::{alone, batched};
use crate::support::golden::{self, folder, kl, prefill};
use crate::support::local_workers::LocalWorkerPool;
use crate::support::random_model::RandomModel;
use crate::support::runs::logits;
use pollster::block_on;
use serde_json::Value as Json;
use web_mamba::cpu::CpuExecutor;
use web_mamba::cpu::simd::Isa;
use web_mamba::cpu::tensor_parallel::TensorParallelExecutor;
use web_mamba::error::Error;
use web_mamba::executor::{Activations, Executor, Outputs};
use web_mamba::gguf::{Gguf, HeaderWriter, Value};
use web_mamba::model::arch::Architecture as _;
use web_mamba::model::arch::rwkv7::{Ranks, Rwkv7};
use web_mamba::model::{ModelFile, Network, Slice, TensorSpec};
use web_mamba::quant::DType;
use web_mamba::source::{ByteSource, MemorySource};
use web_mamba::synthetic::Synthetic;

/// As odd as blocks, tiles and heads allow.
fn sizes(dtype: DType) -> Rwkv7 {
    let (d_model, head_size, d_ffn, ranks) = match dtype.block_len() {
        1 => (144, 48, 77, [5, 7, 3, 9]),
        32 => (192, 64, 160, [32, 32, 32, 64]),
        _ => (256, 32, 512, [256, 256, 256, 256]),
    };
    let [decay, iclr, value_residual, gate] = ranks;
    Rwkv7 { d_model, head_size, d_ffn, ranks: Ranks { decay, iclr, value_residual, gate }, n_layers: 3, eps: 1e-5 }
}

fn network(sizes: &Rwkv7) -> Network {
    Rc::new(sizes.clone()).network(2051, false)
}

fn open(bytes: Vec<u8>) -> Result<ModelFile, Error> {
    let source: Rc<dyn ByteSource> = Rc::new(MemorySource::new("rwkv7", bytes));
    ModelFile::of(block_on(Gguf::open(vec![source]))?)
}

fn random(sizes: &Rwkv7, dtype: DType, seed: u64) -> ModelFile {
    let network = network(sizes);
    let dtype_of = |tensor: &TensorSpec| if tensor.elementwise { DType::F32 } else { dtype };
    open(Synthetic { seed, ..Synthetic::new(&network, dtype_of) }.to_bytes()).unwrap()
}

fn load(file: &ModelFile, activations: Activations) -> CpuExecutor {
    block_on(CpuExecutor::load(file, activations, &mut |_| {})).unwrap()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn relative_error(right: &[f32], found: &[f32]) -> f64 {
    let square: f64 = right.iter().map(|v| f64::from(*v).powi(2)).sum();
    let error: f64 = right.iter().zip(found).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    (error / square).sqrt()
}

/// The largest difference, as a part of the root mean square.
fn worst(right: &[f32], found: &[f32]) -> f64 {
    assert_eq!(right.len(), found.len());
    let square: f64 = right.iter().map(|v| f64::from(*v).powi(2)).sum();
    let most = right.iter().zip(found).fold(0.0, |most: f64, (a, b)| most.max(f64::from((a - b).abs())));
    most / (square / right.len() as f64).sqrt()
}

/// Every golden file of this architecture: its model, and what was recorded.
fn goldens() -> Vec<(ModelFile, golden::Golden, Json)> {
    let mut all = Vec::new();
    for golden in golden::all().into_iter().filter(|golden| golden.file.starts_with("rwkv7")) {
        let file = golden::open(&folder().join("models").join(&golden.file));
        let record = Path::new("logits").join(golden.file.replace(".gguf", ".json"));
        let record = serde_json::from_slice(&std::fs::read(folder().join(record)).unwrap()).unwrap();
        all.push((file, golden, record));
    }
    assert_eq!(all.len(), 11, "golden files are missing");
    all
}

/// A sum with a factor of its own for each place, which a transposed tensor changes.
fn probe(values: &[f32]) -> f64 {
    let factor = |i: usize| f64::from((i as u32).wrapping_mul(2_654_435_761)) / f64::from(1u32 << 31) - 1.0;
    values.iter().enumerate().map(|(i, &x)| f64::from(x) * factor(i)).sum()
}

#[test]
fn the_state_after_a_prompt_is_the_recorded_one() {
    for (file, golden, record) in goldens() {
        let mut executor = load(&file, Activations::F32);
        for (case, record) in golden.cases.iter().zip(record["cases"].as_array().unwrap()) {
            prefill(&mut executor, &case.ids);
            let state = block_on(executor.read_state(0)).unwrap();
            let layers = record["reference"]["state_after_prompt"]["layers"].as_array().unwrap();
            let tensors = layers.iter().flat_map(|layer| ["att_shift", "ffn_shift", "wkv"].map(|name| &layer[name]));
            for (i, (values, right)) in state.tensors.iter().zip(tensors).enumerate() {
                let tolerance = 2e-5 * right["abs_sum"].as_f64().unwrap().max(1.0);
                let found = probe(values) - right["probe"].as_f64().unwrap();
                assert!(found.abs() < tolerance, "{}, tensor {i}: {found}", golden.file);
                let ends = [("first4", &values[..4]), ("last4", &values[values.len() - 4..])];
                for (name, found) in ends {
                    let right = right[name].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32);
                    assert!(right.zip(found).all(|(a, b)| (a - b).abs() < 2e-4), "{}, tensor {i}, {name}", golden.file);
                }
            }
        }
    }
}

/// Rounded activations cost no more than they cost llama.cpp on the same file and prompts.
#[test]
fn eight_bit_activations_stay_as_near_as_those_of_llama_cpp() {
    for (file, golden, record) in goldens() {
        let (mut exact, mut fast) = (load(&file, Activations::F32), load(&file, Activations::Q8));
        let (mut ours, mut theirs, mut positions) = (0.0, 0.0, 0);
        for (case, record) in golden.cases.iter().zip(record["cases"].as_array().unwrap()) {
            let rows = prefill(&mut exact, &case.ids).into_iter().zip(prefill(&mut fast, &case.ids));
            ours += rows.map(|(right, found)| kl(&right, &found)).sum::<f64>();
            theirs += record["llama_vs_reference"]["mean_kl"].as_f64().unwrap() * case.ids.len() as f64;
            positions += case.ids.len();
        }
        let (ours, theirs) = (ours / positions as f64, theirs / positions as f64);
        println!("{:28} mean KL {ours:.1e}, of llama.cpp {theirs:.1e}", golden.file);
        assert!(ours < 1.5 * theirs + 1e-9, "{}: {ours}, of llama.cpp {theirs}", golden.file);
    }
}

#[test]
fn threads_instructions_and_batches_change_no_bit() {
    for (i, dtype) in DType::all().enumerate() {
        let file = random(&sizes(dtype), dtype, i as u64);
        let exact = logits(&mut load(&file, Activations::F32));
        let mut fast = load(&file, Activations::Q8);
        fast.set_isa(Isa::Portable);
        let expected = logits(&mut fast);
        let difference = relative_error(&exact, &expected);
        println!("{dtype}: {difference:.1e}");
        assert!(difference < if dtype.block_len() == 1 { 1e-5 } else { 0.1 }, "{dtype}: {difference}");
        for (isa, threads) in Isa::available().into_iter().zip([2, 3, 17]) {
            fast.set_isa(isa);
            fast.set_threads(threads);
            assert_eq!(bits(&logits(&mut fast)), bits(&expected), "{dtype}, {isa:?}, {threads} threads");
        }
        assert_eq!(batched(&mut fast), alone(&mut fast), "{dtype}");
        let mut exact = load(&file, Activations::F32);
        assert_eq!(batched(&mut exact), alone(&mut exact), "{dtype}");
    }
}

/// Heads of any whole tiles, one to many.
#[test]
fn every_head_size_agrees_with_the_reference() {
    for (d_model, head_size) in [(16, 16), (96, 32), (128, 128), (240, 80), (512, 256)] {
        let file = random(&Rwkv7 { d_model, head_size, ..sizes(DType::F32) }, DType::F32, 5);
        let (mut exact, mut fast) = (load(&file, Activations::F32), load(&file, Activations::Q8));
        let difference = worst(&logits(&mut exact), &logits(&mut fast));
        assert!(difference < 2e-5, "{d_model}, {head_size}: {difference}");
        // One goes on from the other's state, and gives it back as it was.
        let state = block_on(exact.read_state(0)).unwrap();
        fast.write_state(0, &state).unwrap();
        assert_eq!(block_on(fast.read_state(0)).unwrap(), state);
        let next = |executor: &mut CpuExecutor| block_on(executor.forward(0, &[5], Outputs::Last)).unwrap();
        assert!(worst(&next(&mut exact), &next(&mut fast)) < 2e-5, "{d_model}, {head_size}, continued");
    }
}

#[test]
fn ranks_share_heads_and_hidden_units() {
    for (dtype, d_model) in [(DType::F32, 144), (DType::Q8_0, 192), (DType::Q4_K, 768)] {
        let sizes = Rwkv7 { d_model, ..sizes(dtype) };
        let whole = random(&sizes, dtype, 3);
        let pool = LocalWorkerPool(Arc::new(move || RandomModel(random(&sizes, dtype, 3))));
        let most = Slice::max_ranks(&whole.network, &whole.weights);
        assert!(most >= 2, "{dtype}: {most} ranks");
        for ranks in [2, most.min(3)] {
            let mut ignore = |_| {};
            let load_ranks = TensorParallelExecutor::load(&whole, Activations::F32, (&pool, ranks, false), &mut ignore);
            let mut parallel = block_on(load_ranks).unwrap();
            let mut one = load(&whole, Activations::F32);
            let difference = worst(&logits(&mut one), &logits(&mut parallel));
            assert!(difference < 2e-5, "{dtype}, {ranks} ranks: {difference}");
            let state = block_on(one.read_state(0)).unwrap();
            let found = block_on(parallel.read_state(0)).unwrap();
            for (right, found) in state.tensors.iter().zip(&found.tensors) {
                assert!(worst(right, found) < 2e-5, "{dtype}, {ranks} ranks, the state");
            }
            parallel.write_state(0, &state).unwrap();
            assert_eq!(block_on(parallel.read_state(0)).unwrap(), state);
            assert_eq!(batched(&mut parallel), alone(&mut parallel), "{dtype}, {ranks} ranks");
        }
    }
}

/// The header of a small model; `change` may leave a pair out or put another value there, `tensors` are more of them.
fn header(change: impl Fn(&str, Value) -> Option<Value>, tensors: &[(&str, &[u64])]) -> Vec<u8> {
    let network = network(&sizes(DType::F32));
    let mut header = HeaderWriter::new();
    for (key, value) in network.architecture.to_pairs() {
        if let Some(value) = change(key, value) {
            header.pair(key, &value);
        }
    }
    for tensor in &network.tensors {
        header.tensor(&tensor.name(), DType::F32, &tensor.dims());
    }
    tensors.iter().for_each(|(name, dims)| {
        header.tensor(name, DType::F32, dims);
    });
    let data = header.data_bytes() as usize;
    [header.to_bytes(), vec![0; data]].concat()
}

#[test]
fn a_hostile_file_is_refused_with_what_is_wrong() {
    open(header(|_, value| Some(value), &[])).unwrap();
    let pairs = network(&sizes(DType::F32)).architecture.to_pairs();
    let unused = ["rwkv7.attention.head_count"];
    let used = || pairs.iter().filter(|(key, _)| !unused.contains(key));
    for (missing, _) in used() {
        match open(header(|key, value| (key != *missing).then_some(value), &[])) {
            Err(Error::MissingKey { key, .. }) => assert_eq!(key, *missing),
            other => panic!("without {missing}: {:?}", other.err()),
        }
    }
    for (wrong, right) in used().skip(1) {
        let last = if matches!(right, Value::Float(_)) { Value::Float(f64::NAN) } else { Value::Float(2.0) };
        for value in [Value::Unsigned(0), Value::Unsigned(1 << 31), Value::String("4".into()), last] {
            let error = open(header(|key, right| Some(if key == *wrong { value.clone() } else { right }), &[])).err();
            assert!(
                matches!(&error, Some(Error::KeyValue { key, .. }) if key == wrong),
                "{wrong} {value:?}: {error:?}"
            );
        }
    }
    // Heads that the channels are not made of, and heads that are not whole tiles.
    for size in [64, 24] {
        let error = open(header(
            |key, right| Some(if key.ends_with("head_size") { Value::Unsigned(size) } else { right }),
            &[],
        ));
        assert!(matches!(error.err(), Some(Error::KeyValue { key, .. }) if key == "rwkv7.wkv.head_size"), "{size}");
    }
    let error =
        open(header(|key, right| Some(if key.ends_with("block_count") { Value::Unsigned(4) } else { right }), &[]));
    assert!(matches!(error.err(), Some(Error::MissingTensor { tensor }) if tensor == "blk.3.attn_norm.weight"));
}

/// Relatives are refused by name, and so is a variant with tensors of its own, which would run to a wrong text.
#[test]
fn relatives_are_refused_by_name() {
    for name in ["arwkv7", "rwkv6", "rwkv6qwen2"] {
        let named =
            |key: &str, right| Some(if key == "general.architecture" { Value::String(name.into()) } else { right });
        let message = open(header(named, &[])).err().unwrap().to_string();
        assert!(message.contains(&format!("`{name}`")) && message.contains("`rwkv7`"), "{message}");
    }
    for tensor in ["blk.1.channel_mix_s_emb.weight", "blk.1.time_mix_q1.weight"] {
        let message = open(header(|_, value| Some(value), &[(tensor, &[144, 8])])).err().unwrap().to_string();
        assert!(message.contains(tensor), "{message}");
    }
    // What its first layer has for other readers' sake is read by nobody.
    let unread: [(&str, &[u64]); 3] = [
        ("blk.0.time_mix_v0.weight", &[144]),
        ("blk.0.time_mix_v1.weight", &[144, 7]),
        ("blk.0.time_mix_v2.weight", &[7, 144]),
    ];
    open(header(|_, value| Some(value), &unread)).unwrap();
    // A key that files may have, in the place of one that nothing reads: one token shift is another architecture.
    let network = network(&sizes(DType::F32));
    for (shifts, opens) in [(2, true), (1, false)] {
        let mut header = HeaderWriter::new();
        network.architecture.to_pairs().iter().for_each(|(key, value)| header.pair(key, value));
        header.pair("rwkv7.token_shift_count", &Value::Unsigned(shifts));
        network.tensors.iter().for_each(|tensor| {
            header.tensor(&tensor.name(), DType::F32, &tensor.dims());
        });
        let data = header.data_bytes() as usize;
        assert_eq!(open([header.to_bytes(), vec![0; data]].concat()).is_ok(), opens, "{shifts} shifts");
    }
}
