//! A second architecture, which the library has in builds of tests alone: whatever knows no architecture must run it as it runs
//! Mamba, on threads, ranks and a GPU, in batches, with states and checkpoints.

use std::rc::Rc;
use std::sync::Arc;

use crate::support::batches::{alone, batched};
use crate::support::local_workers::LocalWorkerPool;
use crate::support::random_model::{RandomModel, Shape};
use crate::support::runs::{IDS, Run, logits, run_until};
use pollster::block_on;
use web_mamba::cpu::CpuExecutor;
use web_mamba::cpu::simd::Isa;
use web_mamba::cpu::tensor_parallel::TensorParallelExecutor;
use web_mamba::engine::{BackendChoice, LoadOptions, Model};
use web_mamba::error::Error;
use web_mamba::executor::{Activations, Executor, Outputs};
use web_mamba::generate::{Event, GenerateOptions, Generation, Prompt};
use web_mamba::gguf::{Gguf, HeaderWriter, Value};
use web_mamba::model::arch::Architecture as _;
use web_mamba::model::arch::toy::Toy;
use web_mamba::model::{ModelFile, Network, Slice};
use web_mamba::quant::{DType, decode_row};
use web_mamba::sampler::SamplerOptions;
use web_mamba::snapshot::{Numbers, Snapshot};
use web_mamba::source::{ByteSource, MemorySource};
use web_mamba::synthetic::Synthetic;

const VOCAB_SIZE: usize = 2051;

/// As odd as blocks allow.
fn sizes(dtype: DType) -> Toy {
    let (d_model, channels) = match dtype.block_len() {
        1 => (37, 70),
        32 => (96, 160),
        _ => (256, 512),
    };
    Toy { d_model, channels, taps: 4, n_layers: 2, eps: 1e-5 }
}

fn network(toy: &Toy, tied_head: bool) -> Network {
    Rc::new(toy.clone()).network(VOCAB_SIZE, tied_head)
}

fn bytes(network: &Network, dtype: DType) -> Vec<u8> {
    Synthetic::new(network, |tensor| if tensor.elementwise { DType::F32 } else { dtype }).to_bytes()
}

fn open(bytes: Vec<u8>) -> Result<ModelFile, Error> {
    let source: Rc<dyn ByteSource> = Rc::new(MemorySource::new("toy", bytes));
    ModelFile::of(block_on(Gguf::open(vec![source]))?)
}

fn file(toy: &Toy, tied_head: bool, dtype: DType) -> ModelFile {
    open(bytes(&network(toy, tied_head), dtype)).unwrap()
}

fn load(file: &ModelFile, activations: Activations) -> CpuExecutor {
    block_on(CpuExecutor::load(file, activations, &mut |_| {})).unwrap()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// The largest difference, as a part of the root mean square.
fn worst(right: &[f32], found: &[f32]) -> f64 {
    assert_eq!(right.len(), found.len());
    let square: f64 = right.iter().map(|v| f64::from(*v).powi(2)).sum();
    let most = right.iter().zip(found).fold(0.0, |most: f64, (a, b)| most.max(f64::from((a - b).abs())));
    most / (square / right.len() as f64).sqrt()
}

/// The formulas in f64, one token after the other, over weights that are looked up by their names in the file.
struct Naive<'a> {
    toy: &'a Toy,
    file: &'a ModelFile,
    /// By layer: the inputs of the convolution, newest last.
    past: Vec<Vec<Vec<f64>>>,
}

impl<'a> Naive<'a> {
    fn new(toy: &'a Toy, file: &'a ModelFile) -> Self {
        Self { toy, file, past: vec![Vec::new(); toy.n_layers] }
    }

    fn rows(&self, name: &str) -> Vec<Vec<f64>> {
        let tensor = self.file.gguf.tensor(name).unwrap_or_else(|| panic!("{name}"));
        let bytes = block_on(self.file.gguf.read(tensor, 0, tensor.bytes as usize)).unwrap();
        let columns = tensor.dims[0] as usize;
        let mut values = vec![0.0; tensor.rows() as usize * columns];
        let lengths = (tensor.dtype.row_bytes(columns).unwrap(), columns);
        for (row, out) in bytes.chunks_exact(lengths.0).zip(values.chunks_exact_mut(lengths.1)) {
            decode_row(tensor.dtype, row, out);
        }
        values.chunks_exact(columns).map(|row| row.iter().map(|&v| f64::from(v)).collect()).collect()
    }

    fn product(&self, name: &str, x: &[f64]) -> Vec<f64> {
        self.rows(name).iter().map(|row| row.iter().zip(x).map(|(w, x)| w * x).sum()).collect()
    }

    fn norm(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let mean = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
        let scale = 1.0 / (mean + f64::from(self.toy.eps)).sqrt();
        x.iter().zip(&self.rows(name)[0]).map(|(x, w)| x * scale * w).collect()
    }

    fn layer(&mut self, layer: usize, x: &mut [f64]) {
        let name = |suffix: &str| format!("blk.{layer}.{suffix}");
        let u = self.product(&name("up.weight"), &self.norm(&name("norm.weight"), x));
        self.past[layer].push(u);
        let (taps, bias) = (self.rows(&name("mix.weight")), self.rows(&name("mix.bias")));
        let convolved = (0..self.toy.channels).map(|channel| {
            let inputs = self.past[layer].iter().rev().zip(taps[channel].iter().rev());
            let sum = bias[0][channel] + inputs.map(|(u, tap)| u[channel] * tap).sum::<f64>();
            sum / (1.0 + (-sum).exp())
        });
        let v: Vec<f64> = convolved.collect();
        x.iter_mut().zip(self.product(&name("down.weight"), &v)).for_each(|(x, y)| *x += y);
    }

    fn logits(&mut self, token: u32) -> Vec<f32> {
        let mut x = self.rows("token_embd.weight")[token as usize].clone();
        (0..self.toy.n_layers).for_each(|layer| self.layer(layer, &mut x));
        let head = if self.file.network.tied_head { "token_embd.weight" } else { "output.weight" };
        self.product(head, &self.norm("final_norm.weight", &x)).iter().map(|&v| v as f32).collect()
    }
}

#[test]
fn the_forward_pass_is_that_of_its_formulas() {
    for (dtype, taps, tied_head) in [(DType::F32, 4, false), (DType::F16, 1, true), (DType::Q4_K, 3, true)] {
        let toy = Toy { taps, ..sizes(dtype) };
        let file = file(&toy, tied_head, dtype);
        assert_eq!((file.network.architecture.name(), file.network.state.len()), ("toy", 2));
        let mut naive = Naive::new(&toy, &file);
        let right: Vec<f32> = IDS[..9].iter().flat_map(|&id| naive.logits(id)).collect();
        let mut exact = load(&file, Activations::F32);
        let found: Vec<f32> = [&IDS[..1], &IDS[1..7], &IDS[7..9]]
            .into_iter()
            .flat_map(|chunk| block_on(exact.forward(0, chunk, Outputs::Each)).unwrap())
            .collect();
        let worst = worst(&right, &found);
        assert!(worst < 1e-5, "{dtype}, {taps} taps: {worst}");
        let state = block_on(exact.read_state(0)).unwrap();
        for (layer, tensor) in state.tensors.iter().enumerate() {
            let past = &naive.past[layer][9 - (taps - 1)..];
            let right: Vec<_> = (0..toy.channels).flat_map(|c| past.iter().map(move |u| u[c] as f32)).collect();
            assert!(right.iter().zip(tensor).all(|(a, b)| (a - b).abs() < 1e-4) && right.len() == tensor.len());
        }
    }
}

#[test]
fn threads_instructions_and_batches_change_no_bit() {
    for dtype in [DType::F32, DType::Q8_0, DType::Q4_K] {
        let file = file(&sizes(dtype), dtype == DType::Q8_0, dtype);
        let exact = logits(&mut load(&file, Activations::F32));
        let mut fast = load(&file, Activations::Q8);
        let expected = logits(&mut fast);
        // About 0.6 % is lost in each of five products where weights have quants.
        let difference = worst(&exact, &expected);
        assert!(difference < if dtype == DType::F32 { 1e-5 } else { 0.2 }, "{dtype}: {difference}");
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

#[test]
fn ranks_share_it() {
    for (dtype, channels) in [(DType::F32, 70), (DType::Q8_0, 160), (DType::Q4_K, 768)] {
        let toy = Toy { channels, ..sizes(dtype) };
        let whole = file(&toy, false, dtype);
        let made = toy.clone();
        let pool = LocalWorkerPool(Arc::new(move || RandomModel(file(&made, false, dtype))));
        let most = Slice::max_ranks(&whole.network, &whole.weights);
        for ranks in [2, most.min(5)] {
            let mut ignore = |_| {};
            let load_ranks = TensorParallelExecutor::load(&whole, Activations::F32, (&pool, ranks, false), &mut ignore);
            let mut parallel = block_on(load_ranks).unwrap();
            let mut one = load(&whole, Activations::F32);
            let difference = worst(&logits(&mut one), &logits(&mut parallel));
            assert!(difference < 1e-5, "{dtype}, {ranks} ranks: {difference}");
            let state = block_on(parallel.read_state(0)).unwrap();
            state.check(&whole.network).unwrap();
            assert!(state.tensors.iter().flatten().any(|&v| v != 0.0));
            // What one executor read, the ranks go on from.
            let state = block_on(one.read_state(0)).unwrap();
            parallel.write_state(0, &state).unwrap();
            assert_eq!(block_on(parallel.read_state(0)).unwrap(), state);
            let next = |executor: &mut dyn Executor| block_on(executor.forward(0, &[5], Outputs::Last)).unwrap();
            assert!(worst(&next(&mut one), &next(&mut parallel)) < 1e-5, "{dtype}, {ranks} ranks, continued");
            assert_eq!(batched(&mut parallel), alone(&mut parallel), "{dtype}, {ranks} ranks");
        }
    }
}

fn model(seed: u64) -> Model {
    let network = network(&sizes(DType::Q8_0), false);
    let made = Synthetic::new(&network, |tensor| if tensor.elementwise { DType::F32 } else { DType::Q8_0 });
    let source: Rc<dyn ByteSource> = Rc::new(MemorySource::new("toy", Synthetic { seed, ..made }.to_bytes()));
    let options = LoadOptions { backend: BackendChoice::Cpu, threads: Some(2), ..Default::default() };
    block_on(Model::load(vec![source], &options, &mut |_, _| {})).unwrap()
}

fn mamba() -> Model {
    let shape = Shape { vocab_size: VOCAB_SIZE, ..Shape::odd(DType::Q8_0) };
    let sources = RandomModel::new(&shape, DType::Q8_0, 1).gguf.sources().to_vec();
    let options = LoadOptions { backend: BackendChoice::Cpu, threads: Some(1), ..Default::default() };
    block_on(Model::load(sources, &options, &mut |_, _| {})).unwrap()
}

fn greedy(max_tokens: usize) -> GenerateOptions {
    let sampler = SamplerOptions { temperature: 0.0, ..Default::default() };
    GenerateOptions { sampler, max_tokens, ignore_eos: true, ..Default::default() }
}

fn run(model: &mut Model, tokens: &[u32], options: GenerateOptions) -> Run {
    run_until(model, &Prompt::Tokens(tokens.to_vec()), options, usize::MAX)
}

#[test]
fn a_state_file_names_the_toy_and_is_nobody_elses() {
    let (mut toy, mut mamba) = (model(1), mamba());
    assert_eq!(toy.info().architecture, "toy");
    block_on(toy.logits(&IDS[..20])).unwrap();
    let saved = block_on(toy.save_state()).unwrap();
    let tensors: Vec<_> =
        saved.shape.tensors.iter().map(|(name, rows, columns)| (name.as_str(), *rows, *columns)).collect();
    assert_eq!(saved.shape.architecture, "toy");
    assert_eq!(tensors, [("layer.0.past", 160, 3), ("layer.1.past", 160, 3)]);
    let expected = block_on(toy.continue_logits(&IDS[20..])).unwrap();
    let file = saved.to_bytes(Numbers::F32).unwrap();
    block_on(toy.restore_state(&Snapshot::from_bytes(&file).unwrap())).unwrap();
    assert_eq!(bits(&block_on(toy.continue_logits(&IDS[20..])).unwrap()), bits(&expected));

    block_on(mamba.logits(&IDS[..5])).unwrap();
    let foreign = block_on(mamba.save_state()).unwrap();
    assert!(matches!(block_on(toy.restore_state(&foreign)), Err(Error::StateModel { .. })));
    assert!(matches!(block_on(mamba.restore_state(&saved)), Err(Error::StateModel { .. })));
    // A file that lies about its model is refused by its tensors.
    let (of_toy, of_mamba) = (toy.hash(), mamba.hash());
    let lie = Snapshot { model: of_mamba, ..saved };
    let lie = Snapshot::from_bytes(&lie.to_bytes(Numbers::F32).unwrap()).unwrap();
    assert!(block_on(mamba.restore_state(&lie)).is_err());
    let lie = Snapshot { model: of_toy, ..foreign };
    assert!(block_on(toy.restore_state(&lie)).is_err());
    assert_eq!(bits(&block_on(toy.logits(&IDS)).unwrap()), bits(&expected));
}

#[test]
fn a_conversation_goes_on_from_checkpoints_and_a_batch_forks() {
    let mut toy = model(2);
    let plain = |toy: &mut Model, prompt: &[u32]| run(toy, prompt, GenerateOptions { reuse: false, ..greedy(6) }).ids;
    let first = run(&mut toy, &IDS[..30], greedy(6));
    let next = [&IDS[..30], &first.ids, &[7, 8]].concat();
    let second = run(&mut toy, &next, greedy(6));
    assert_eq!((second.prompt, second.prefilled), (38, 3));
    assert_eq!(second.ids, plain(&mut toy, &next));

    let prompts = vec![Prompt::Tokens(next.clone()), Prompt::Tokens(IDS.to_vec()), Prompt::Tokens(next)];
    let mut batch = Generation::batch(&toy, &prompts, &greedy(6), 2).unwrap();
    let mut ids = vec![Vec::new(); 3];
    while let Some(event) = block_on(batch.next_indexed(&mut toy)).unwrap() {
        if let Event::Token { id, .. } = event.event {
            ids[event.index].push(id);
        }
    }
    assert_eq!(ids, [second.ids.clone(), plain(&mut toy, &IDS), second.ids]);
}

/// The header of a small toy, and where its data begins; `change` may leave a pair out or put another value there.
fn header(change: impl Fn(&str, Value) -> Option<Value>) -> Vec<u8> {
    let network = network(&sizes(DType::F32), true);
    let mut header = HeaderWriter::new();
    for (key, value) in network.architecture.to_pairs() {
        if let Some(value) = change(key, value) {
            header.pair(key, &value);
        }
    }
    for tensor in &network.tensors {
        header.tensor(&tensor.name(), DType::F32, &tensor.dims());
    }
    let data = header.data_bytes() as usize;
    [header.to_bytes(), vec![0; data]].concat()
}

#[test]
fn a_hostile_file_is_refused_with_what_is_wrong() {
    open(header(|_, value| Some(value))).unwrap();
    let pairs = network(&sizes(DType::F32), true).architecture.to_pairs();
    for (missing, _) in &pairs {
        match open(header(|key, value| (key != *missing).then_some(value))) {
            Err(Error::MissingKey { key, .. }) => assert_eq!(key, *missing),
            other => panic!("without {missing}: {:?}", other.err()),
        }
    }
    let others = |value| [Value::Unsigned(0), Value::Unsigned(1 << 31), Value::String("4".into()), value];
    for (wrong, _) in &pairs[1..] {
        let last = if *wrong == "toy.epsilon" { Value::Float(f64::NAN) } else { Value::Float(2.0) };
        for value in others(last) {
            let error = open(header(|key, right| Some(if key == *wrong { value.clone() } else { right }))).err();
            assert!(
                matches!(&error, Some(Error::KeyValue { key, .. }) if key == wrong),
                "{wrong} {value:?}: {error:?}"
            );
        }
    }
    // One channel more than the tensors have.
    let error = open(header(|key, right| Some(if key == "toy.channels" { Value::Unsigned(71) } else { right })));
    assert!(matches!(error.err(), Some(Error::TensorShape { .. })));
    let error = open(header(|key, right| Some(if key == "toy.depth" { Value::Unsigned(3) } else { right })));
    assert!(matches!(error.err(), Some(Error::MissingTensor { tensor }) if tensor == "blk.2.norm.weight"));
    let found =
        open(header(|key, right| Some(if key == "general.architecture" { Value::String("no".into()) } else { right })));
    let message = found.err().unwrap().to_string();
    assert!(["`no`", "`mamba`", "`toy`"].iter().all(|name| message.contains(name)), "{message}");
}

#[cfg(feature = "gpu")]
mod on_a_gpu {
    use super::*;
    use web_mamba::gpu::{Gpu, GpuExecutor, GpuOptions, first_difference, self_test};

    /// With the kernels for hardware, and for software adapters.
    fn kinds() -> [GpuOptions; 2] {
        [Some(false), Some(true)].map(|software| GpuOptions { software, ..GpuOptions::default() })
    }

    fn device(options: &GpuOptions) -> Gpu {
        block_on(Gpu::open(options)).expect("a GPU, or a software Vulkan (scripts/setup --test)")
    }

    fn load_on(file: &ModelFile, options: &GpuOptions, activations: Activations) -> GpuExecutor {
        block_on(GpuExecutor::load(device(options), file, activations, &mut |_| {})).unwrap()
    }

    /// Chunks, single tokens and batches.
    #[test]
    fn a_gpu_gives_what_the_cpu_gives() {
        for (dtype, options) in [DType::F32, DType::Q4_K].iter().flat_map(|d| kinds().map(|options| (*d, options))) {
            for taps in [1, 4] {
                let file = file(&Toy { taps, ..sizes(dtype) }, taps == 1, dtype);
                let (mut cpu, mut gpu) = (load(&file, Activations::F32), load_on(&file, &options, Activations::F32));
                for chunk in [&IDS[..7], &IDS[7..8], &IDS[8..9], &IDS[9..40]] {
                    let right = block_on(cpu.forward(0, chunk, Outputs::Last)).unwrap();
                    let found = block_on(gpu.forward(0, chunk, Outputs::Last)).unwrap();
                    assert!(worst(&right, &found) < 1e-4, "{dtype}, {taps} taps, {options:?}");
                }
                let (a, b) = (block_on(cpu.read_state(0)).unwrap(), block_on(gpu.read_state(0)).unwrap());
                let pairs = a.tensors.iter().flatten().zip(b.tensors.iter().flatten());
                assert!(
                    pairs.fold(0.0, |worst: f32, (a, b)| worst.max((a - b).abs())) < 1e-3 && a.position == b.position
                );
                block_on(gpu.set_sequences(3)).unwrap();
                block_on(cpu.set_sequences(3)).unwrap();
                for step in [&[(0, 5), (1, 6), (2, 7)][..], &[(2, 9), (0, 1)]] {
                    let right = block_on(cpu.decode_batch(step)).unwrap();
                    assert!(worst(&right, &block_on(gpu.decode_batch(step)).unwrap()) < 1e-4, "{dtype}, {taps} taps");
                }
            }
        }
    }

    #[test]
    fn every_step_agrees_with_8_bit_activations() {
        for options in kinds() {
            let file = file(&sizes(DType::Q4_K), false, DType::Q4_K);
            let (mut cpu, mut gpu) = (load(&file, Activations::F32), load_on(&file, &options, Activations::Q8));
            for chunk in [&IDS[..20], &IDS[20..21]] {
                let found = block_on(first_difference(&mut cpu, &mut gpu, chunk, 0.1)).unwrap();
                assert_eq!(found, None, "{options:?}");
            }
        }
    }

    #[test]
    fn a_device_is_tested_with_a_toy_and_a_wrong_kernel_named() {
        let file = file(&sizes(DType::Q4_K), false, DType::Q4_K);
        for options in kinds() {
            block_on(self_test(&device(&options), &file, Activations::F32)).unwrap();
            let corrupt = Some(["conv1d_silu", "const D_CONV: u32 = 4u;", "const D_CONV: u32 = 3u;"]);
            let wrong = device(&GpuOptions { corrupt, ..options });
            match block_on(self_test(&wrong, &file, Activations::F32)) {
                Err(Error::SelfTest { problem, .. }) => assert!(problem.contains("`conv1d_silu`"), "{problem}"),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Tokens are sampled on the device, and steps run ahead of the host.
    #[test]
    fn a_gpu_writes_what_the_cpu_writes() {
        let bytes = bytes(&network(&sizes(DType::F32), false), DType::F32);
        let load = |backend| {
            let source: Rc<dyn ByteSource> = Rc::new(MemorySource::new("toy", bytes.clone()));
            let gpu = GpuOptions { software: Some(false), ..Default::default() };
            let options = LoadOptions { backend, activations: Some(Activations::F32), gpu, ..Default::default() };
            block_on(Model::load(vec![source], &options, &mut |_, _| {})).unwrap()
        };
        let (mut cpu, mut gpu) = (load(BackendChoice::Cpu), load(BackendChoice::WebGpu));
        assert_eq!(run(&mut gpu, &IDS, greedy(24)).ids, run(&mut cpu, &IDS, greedy(24)).ids);
        // A state goes over from one to the other.
        block_on(gpu.logits(&IDS[..30])).unwrap();
        let saved = block_on(gpu.save_state()).unwrap().to_bytes(Numbers::F32).unwrap();
        block_on(cpu.restore_state(&Snapshot::from_bytes(&saved).unwrap())).unwrap();
        let (a, b) = (gpu.continue_logits(&IDS[30..]), cpu.continue_logits(&IDS[30..]));
        assert!(worst(&block_on(b).unwrap(), &block_on(a).unwrap()) < 1e-4);
    }
}

/// The file that the page's tests run, and what it writes.
#[cfg(feature = "cli")]
mod recorded {
    use super::*;
    use crate::support::golden;
    use serde_json::{Value as Json, json};
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use web_mamba::fit;
    use web_mamba::source::FileSource;

    fn path(name: &str) -> PathBuf {
        golden::folder().join("toy").join(name)
    }

    fn tool(arguments: &[&str]) -> Json {
        let output = Command::new(env!("CARGO_BIN_EXE_web-mamba")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn make(file: &Path) {
        let file = file.display().to_string();
        tool(&["make-random", &file, "--shape", "toy", "--type", "f16", "--force", "--json"]);
    }

    fn recording() -> bool {
        std::env::var_os("WEB_MAMBA_RECORD").is_some()
    }

    /// A token is chosen by at least this part of the logits' root mean square, so that sums in another order choose it too.
    const MARGIN: f32 = 1e-3;

    /// Prompts, and what follows each.
    fn answers() -> Json {
        let file = ModelFile::of(block_on(Gguf::open(vec![source()])).unwrap()).unwrap();
        let mut executor = load(&file, Activations::F32);
        let mut answer = |ids: &[u32]| {
            executor.reset(0).unwrap();
            let (mut next, mut written) = (ids.to_vec(), Vec::new());
            while written.len() < 24 {
                let logits = block_on(executor.forward(0, &next, Outputs::Last)).unwrap();
                let mut order: Vec<usize> = (0..logits.len()).collect();
                order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
                let size = (logits.iter().map(|v| v * v).sum::<f32>() / logits.len() as f32).sqrt();
                assert!(logits[order[0]] - logits[order[1]] > MARGIN * size, "token {} of {ids:?}", written.len());
                next = vec![order[0] as u32];
                written.push(next[0]);
            }
            json!({ "prompt": ids, "greedy": written })
        };
        json!([answer(&[5, 17, 3, 99, 7, 42, 11, 64, 2, 8]), answer(&[300]), answer(&[1, 2, 3])])
    }

    fn source() -> Rc<dyn ByteSource> {
        Rc::new(FileSource::open(&path("toy-f16.gguf")).unwrap())
    }

    /// `WEB_MAMBA_RECORD=1` makes both anew.
    #[test]
    fn the_file_and_its_answers_are_the_recorded_ones() {
        if recording() {
            std::fs::create_dir_all(path("")).unwrap();
            make(&path("toy-f16.gguf"));
            let text = serde_json::to_string_pretty(&answers()).unwrap() + "\n";
            std::fs::write(path("answers.json"), text).unwrap();
        }
        let again = std::env::temp_dir().join(format!("web-mamba-toy-{}.gguf", std::process::id()));
        make(&again);
        let bytes = std::fs::read(&again).unwrap();
        std::fs::remove_file(&again).unwrap();
        assert!(bytes == std::fs::read(path("toy-f16.gguf")).unwrap(), "make-random gives another file");
        let recorded: Json = serde_json::from_slice(&std::fs::read(path("answers.json")).unwrap()).unwrap();
        assert_eq!(answers(), recorded);
    }

    #[test]
    fn it_is_described_and_judged_before_it_is_loaded() {
        let inspected = tool(&["inspect", &path("toy-f16.gguf").display().to_string(), "--json"]);
        assert_eq!((&inspected["model"]["architecture"], &inspected["model"]["taps"]), (&json!("toy"), &json!(4)));
        let cpu = LoadOptions { backend: BackendChoice::Cpu, ..Default::default() };
        let plan = block_on(fit::plan(vec![source()], &cpu)).unwrap();
        // Two layers of 96 channels, three inputs each.
        assert_eq!((plan.fits, plan.needs.state), (true, 2 * 96 * 3 * 4));
    }

    /// Every kind of stage has a name and a time.
    #[test]
    fn its_steps_are_timed() {
        let options = web_mamba::gpu::GpuOptions::default();
        let file = ModelFile::of(block_on(Gguf::open(vec![source()])).unwrap()).unwrap();
        let gpu = block_on(web_mamba::gpu::Gpu::open(&options)).unwrap();
        let mut ignore = |_| {};
        let load = web_mamba::gpu::GpuExecutor::load(gpu, &file, Activations::F32, &mut ignore);
        let executor = block_on(load).unwrap();
        let times = block_on(web_mamba::instruments::Instruments::stage_times(&executor, 1)).unwrap();
        let names: Vec<_> = times.iter().map(|time| time.name.as_str()).collect();
        // The product that adds to the residual is fused with the norm after it; what no rule takes runs beside it.
        assert_eq!(names, ["embed", "norm", "up F16", "conv", "down F16 + norm", "token_embd F16"]);
    }
}
