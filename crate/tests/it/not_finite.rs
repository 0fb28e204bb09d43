//! Numbers that are infinite or NaN, wherever they come from: in a file's metadata or weights, computed, or in a state. Each is an
//! error, whatever the activations; none is sampled, shown or kept.

use std::rc::Rc;

use crate::support::random_model::{RandomModel, Shape};
use pollster::block_on;
use web_mamba::cpu::CpuExecutor;
use web_mamba::cpu::simd::Isa;
use web_mamba::engine::{BackendChoice, LoadOptions, Model};
use web_mamba::error::{Error, Result};
use web_mamba::executor::{Activations, Executor};
use web_mamba::generate::{GenerateOptions, Generation, Prompt};
use web_mamba::gguf::{Gguf, HeaderWriter, Value};
use web_mamba::model::{ModelFile, State};
use web_mamba::quant::DType;
use web_mamba::sampler::{Sampler, SamplerOptions};
use web_mamba::source::{ByteSource, MemorySource};

const BOTH: [Activations; 2] = [Activations::F32, Activations::Q8];
const ODD: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];

/// A model's file, changed from a byte of one tensor on.
fn changed(model: &RandomModel, tensor: &str, at: u64, bytes: &[u8]) -> MemorySource {
    let source = &model.gguf.sources()[0];
    let mut file = block_on(source.read(0, source.len() as usize)).unwrap();
    let tensor = model.gguf.tensor(tensor).unwrap();
    assert!(at + bytes.len() as u64 <= tensor.bytes, "{at} is outside of {}", tensor.name);
    file[(tensor.offset + at) as usize..][..bytes.len()].copy_from_slice(bytes);
    MemorySource::new("changed", file)
}

fn load(source: MemorySource, activations: Activations) -> Result<CpuExecutor> {
    let file = ModelFile::of(block_on(Gguf::open(vec![Rc::new(source)]))?)?;
    block_on(CpuExecutor::load(&file, activations, &mut |_| {}))
}

fn code<T>(result: Result<T>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "no error")
}

fn sample(executor: &mut CpuExecutor) -> Result<u32> {
    let mut sampler = Sampler::new(SamplerOptions::default()).unwrap();
    block_on(executor.sample(0, &[3, 1, 4], &mut sampler))
}

/// `f64` holds numbers that are infinite as `f32`, or zero.
#[test]
fn metadata_is_checked_as_the_engine_holds_it() {
    let key = "mamba.attention.layer_norm_rms_epsilon";
    let model = RandomModel::new(&Shape::odd(DType::F32), DType::F32, 1);
    for (value, accepted) in [
        (1e-5, true),
        (3.4e38, true),
        (1e-44, true),
        (1e300, false),
        (-1e300, false),
        (3.5e38, false),
        (1e-300, false),
        (0.0, false),
        (f64::NAN, false),
        (f64::INFINITY, false),
    ] {
        let mut header = HeaderWriter::new();
        for (name, other) in model.network.architecture.to_pairs() {
            header.pair(name, &if name == key { Value::Float(value) } else { other });
        }
        for spec in &model.network.tensors {
            header.tensor(&spec.name(), DType::F32, &spec.dims());
        }
        let data = vec![0; header.data_bytes() as usize];
        let source = MemorySource::new("sizes", [header.to_bytes(), data].concat());
        match block_on(Gguf::open(vec![Rc::new(source)])).and_then(ModelFile::of) {
            Ok(file) => {
                let sizes = file.network.architecture.sizes();
                let taken = sizes.iter().find(|(name, _)| *name == "rms_eps").unwrap();
                assert!(accepted && taken.1 == Value::Float((value as f32).into()), "{value} was taken as {taken:?}")
            }
            Err(Error::KeyValue { key: found, .. }) => assert!(!accepted && found == key, "{value} was refused"),
            Err(other) => panic!("{value}: {other}"),
        }
    }
}

#[test]
fn weights_are_refused_alike_with_both_kinds_of_activations() {
    for dtype in DType::all() {
        let model = RandomModel::new(&Shape::odd(dtype), dtype, 3);
        // The fields that scale a block, or its first value.
        let field = match dtype {
            DType::Q2_K => 80,
            DType::Q3_K => 108,
            DType::Q6_K => 208,
            _ => 0,
        };
        for odd in ODD {
            let half = half::f16::from_f32(odd).to_le_bytes();
            let bytes = match dtype {
                DType::F32 => odd.to_le_bytes().to_vec(),
                DType::BF16 => half::bf16::from_f32(odd).to_le_bytes().to_vec(),
                _ => half.to_vec(),
            };
            for tensor in ["token_embd.weight", "blk.1.ssm_out.weight"] {
                for activations in BOTH {
                    let found = code(load(changed(&model, tensor, field, &bytes), activations));
                    assert_eq!(found, "not-finite", "{odd} in {tensor} of {dtype}, {activations:?}");
                }
            }
        }
    }
    let model = RandomModel::new(&Shape::odd(DType::F32), DType::F32, 3);
    for tensor in ["blk.0.ssm_a", "blk.1.ssm_conv1d.bias", "blk.0.attn_norm.weight", "output_norm.weight"] {
        for activations in BOTH {
            let error = load(changed(&model, tensor, 8, &f32::NAN.to_le_bytes()), activations).map(|_| ()).unwrap_err();
            assert_eq!(error, Error::NotFinite { what: format!("a number of tensor `{tensor}`") });
            assert_eq!(code(load(changed(&model, tensor, 8, &0.5f32.to_le_bytes()), activations)), "no error");
        }
    }
}

#[test]
fn logits_whose_highest_is_not_finite_are_refused() {
    let (nan, infinity) = (f32::NAN, f32::INFINITY);
    let plain = SamplerOptions { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0, ..Default::default() };
    let greedy = SamplerOptions { temperature: 0.0, ..plain.clone() };
    let penalised = SamplerOptions { repetition_penalty: 1.3, frequency_penalty: 0.5, ..plain.clone() };
    for options in [greedy, plain, SamplerOptions::default(), penalised] {
        let mut sampler = Sampler::new(options.clone()).unwrap();
        sampler.accept(1);
        for odd in
            [&[nan][..], &[nan; 40], &[-infinity; 3], &[nan, -infinity], &[0.0, infinity], &[nan, infinity, 1.0], &[]]
        {
            let before = sampler.state();
            let error = sampler.sample(&mut odd.to_vec()).unwrap_err();
            assert_eq!(error.code(), "not-finite", "{odd:?}, {options:?}");
            assert_eq!(sampler.state(), before, "a choice that was refused draws nothing");
        }
        // The highest that is a number is finite: what is none, or the lowest, is never sampled.
        for logits in [[nan, 1.0, -infinity, -3e38], [f32::MIN, f32::MAX, nan, nan], [-infinity, 0.0, -infinity, nan]] {
            let mut alike = sampler.clone();
            let chosen = sampler.sample(&mut logits.to_vec()).unwrap();
            assert_eq!(chosen, alike.sample_unchecked(&mut logits.to_vec()));
            assert!(logits[chosen as usize].is_finite(), "token {chosen} of {logits:?}, {options:?}");
        }
    }
}

/// From finite weights: a norm that takes every activation beyond f32.
fn overflowing(dtype: DType) -> MemorySource {
    let shape = Shape::odd(dtype);
    let bytes: Vec<u8> = (0..shape.d_model).flat_map(|_| f32::MAX.to_le_bytes()).collect();
    changed(&RandomModel::new(&shape, dtype, 4), "output_norm.weight", 0, &bytes)
}

#[test]
fn what_overflows_is_refused_alike_with_both_kinds_of_activations() {
    for dtype in [DType::F32, DType::F16, DType::Q4_0, DType::Q8_0, DType::Q4_K, DType::Q6_K] {
        for activations in BOTH {
            let mut executor = load(overflowing(dtype), activations).unwrap();
            for isa in Isa::available() {
                executor.set_isa(isa);
                executor.reset(0).unwrap();
                assert_eq!(code(sample(&mut executor)), "not-finite", "{dtype}, {activations:?}, {isa:?}");
                let mut samplers = [&mut Sampler::new(SamplerOptions::default()).unwrap()];
                let each = block_on(executor.sample_batch(&[(0, 5)], &mut samplers));
                assert_eq!(code(each), "not-finite", "{dtype}, {activations:?}, {isa:?}");
            }
        }
    }
}

/// One number of a state reaches every logit, through all steps of all instruction sets.
#[test]
fn a_state_that_is_not_finite_is_noticed_by_the_next_choice() {
    for dtype in [DType::F32, DType::Q4_0, DType::Q4_K, DType::Q6_K] {
        let model = RandomModel::new(&Shape::odd(dtype), dtype, 6);
        for (activations, odd) in BOTH.into_iter().flat_map(|activations| ODD.map(|odd| (activations, odd))) {
            let mut executor = block_on(CpuExecutor::load(&model, activations, &mut |_| {})).unwrap();
            for isa in Isa::available() {
                executor.set_isa(isa);
                for of_convolution in [true, false] {
                    let mut state = State::new(&model.network);
                    state.tensors[if of_convolution { 0 } else { 1 }][17] = odd;
                    executor.write_state(0, &state).unwrap();
                    assert_eq!(code(sample(&mut executor)), "not-finite", "{odd}, {dtype}, {activations:?}, {isa:?}");
                }
            }
            executor.reset(0).unwrap();
            assert_eq!(code(sample(&mut executor)), "no error");
        }
    }
}

fn model(source: MemorySource, activations: Activations) -> Model {
    let source: Rc<dyn ByteSource> = Rc::new(source);
    let options = LoadOptions { backend: BackendChoice::Cpu, activations: Some(activations), ..Default::default() };
    block_on(Model::load(vec![source], &options, &mut |_, _| {})).unwrap()
}

#[test]
fn generations_end_with_the_error_and_nothing_is_kept() {
    for activations in BOTH {
        let mut model = model(overflowing(DType::Q8_0), activations);
        let prompt = Prompt::Tokens(vec![5, 6, 7]);
        let options = GenerateOptions { reuse: true, max_tokens: 4, ..Default::default() };
        for _ in 0..2 {
            let mut generation = Generation::new(&model, &prompt, options.clone()).unwrap();
            assert_eq!(code(block_on(generation.next(&mut model))), "not-finite");
            assert!(matches!(block_on(generation.next(&mut model)), Ok(None)), "a generation ends with its error");
            assert_eq!(code(block_on(model.save_state())), "state-unknown", "the last token was not seen");
        }
        let prompts = [prompt.clone(), Prompt::Tokens(vec![8])];
        let mut many = Generation::batch(&model, &prompts, &options, 2).unwrap();
        assert_eq!(code(block_on(many.next_indexed(&mut model))), "not-finite");
    }
}

/// A state that overflows while a prompt is read: neither a checkpoint nor a saved state holds it.
#[test]
fn states_that_are_not_finite_are_not_kept() {
    for activations in BOTH {
        let shape = Shape::odd(DType::F32);
        // What each layer adds is beyond f32 once it is added up.
        let bytes: Vec<u8> = (0..shape.d_model).flat_map(|_| f32::MAX.to_le_bytes()).collect();
        let random = RandomModel::new(&shape, DType::F32, 4);
        let mut model = model(changed(&random, "blk.0.attn_norm.weight", 0, &bytes), activations);
        assert!(block_on(model.logits(&[1, 2])).unwrap().iter().all(|logit| !logit.is_finite()), "nothing overflows");
        assert_eq!(code(block_on(model.save_state())), "not-finite");
        let options = GenerateOptions { reuse: true, max_tokens: 4, ..Default::default() };
        let mut generation = Generation::new(&model, &Prompt::Tokens(vec![5, 6, 7]), options).unwrap();
        assert_eq!(code(block_on(generation.next(&mut model))), "not-finite");
        assert!(model.checkpoints().list().is_empty(), "{:?}", model.checkpoints().list());
    }
}
