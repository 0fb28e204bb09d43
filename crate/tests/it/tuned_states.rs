//! Tuned states: the orders of their files, what a model does that begins from one, and files that are none.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use base64::Engine as _;
use futures_util::future::LocalBoxFuture;
use pollster::block_on;
use proptest::prelude::*;
use serde_json::Value as Json;
use web_mamba::cpu::tensor_parallel::{RankConfig, Started, WorkerPool};
use web_mamba::engine::{BackendChoice, LoadOptions, Model};
use web_mamba::error::Error;
use web_mamba::executor::Activations;
use web_mamba::fingerprint::{BeginningHash, ModelHash};
use web_mamba::generate::{Event, GenerateOptions, Generation, Prompt};
#[cfg(feature = "gpu")]
use web_mamba::gpu::GpuOptions;
use web_mamba::model::ModelFile;
use web_mamba::sampler::SamplerOptions;
use web_mamba::snapshot::{Numbers, Snapshot, TunedOrder};
use web_mamba::source::{ByteSource, FileSource};
use web_mamba::tokenizer::ChatMessage;

use crate::support::golden;
use crate::support::local_workers::LocalWorkerPool;
use crate::support::random_model::RandomModel;
use crate::support::runs::{Run, run_until};
use crate::support::torch_file::{Storage, TorchFile, pickle};

fn folder() -> PathBuf {
    golden::folder().join("states/tuned")
}

fn model_path() -> PathBuf {
    golden::folder().join("models/rwkv7-a-F32.gguf")
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

fn recorded() -> Json {
    serde_json::from_slice(&file("time-state.json")).unwrap()
}

fn ids(record: &Json) -> Vec<u32> {
    record["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

fn right(record: &Json, case: &str) -> Vec<f32> {
    let text = record["cases"][case]["logits_last_f32le_b64"].as_str().unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

fn sources() -> Vec<Rc<dyn ByteSource>> {
    vec![Rc::new(FileSource::open(&model_path()).unwrap())]
}

fn options() -> LoadOptions {
    let (backend, activations) = (BackendChoice::Cpu, Some(Activations::F32));
    LoadOptions { backend, activations, threads: Some(1), ..Default::default() }
}

fn load() -> Model {
    block_on(Model::load(sources(), &options(), &mut |_, _| {})).unwrap()
}

/// A software GPU in CI, which runs ahead and samples as others do.
#[cfg(feature = "gpu")]
fn on_gpu() -> LoadOptions {
    let gpu = GpuOptions { software: Some(false), ..Default::default() };
    LoadOptions { backend: BackendChoice::WebGpu, gpu, ..options() }
}

fn open(model: &Model, name: &str) -> Snapshot {
    model.open_state(&file(name), name, None).unwrap().0
}

fn farthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).fold(0.0, |most, (a, b)| most.max((a - b).abs()))
}

/// The logits of two other implementations, for every kind of file.
#[test]
fn each_kind_of_file_has_its_order() {
    let (mut model, record) = (load(), recorded());
    let ids = ids(&record);
    let nearest = |logits: &[f32]| {
        let cases = ["none", "as_is", "transposed", "as_is_bf16", "as_is_f16"];
        let distances = cases.map(|case| (case, farthest(logits, &right(&record, case))));
        println!("{distances:?}");
        distances.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
    };
    let (as_is, swapped) = (TunedOrder::ValueKey, TunedOrder::KeyValue);
    for (name, order, case) in [
        ("time-state.safetensors", as_is, "as_is"),
        ("time-state-bf16.safetensors", as_is, "as_is_bf16"),
        ("time-state-web-rwkv.st", swapped, "as_is_f16"),
        ("time-state.pth", as_is, "as_is_bf16"),
        ("time-state-strided.pth", as_is, "as_is"),
    ] {
        let (snapshot, found) = model.open_state(&file(name), name, None).unwrap();
        assert_eq!((found, snapshot.position()), (Some(order), 0), "{name}");
        block_on(model.restore_state(&snapshot)).unwrap();
        let logits = block_on(model.logits(&ids)).unwrap();
        let (nearest, distance) = nearest(&logits);
        assert!(nearest == case && distance < 1e-4, "{name} is {nearest}, {distance} from it");
        // The order can be said.
        let other = if order == as_is { swapped } else { as_is };
        let (turned, _) = model.open_state(&file(name), name, Some(other)).unwrap();
        block_on(model.restore_state(&turned)).unwrap();
        let distance = farthest(&block_on(model.logits(&ids)).unwrap(), &right(&record, "transposed"));
        assert!(distance < 0.02, "{name}, turned: {distance}");
    }
    assert!(block_on(model.begin_from(None)).unwrap());
    let (nearest, distance) = nearest(&block_on(model.logits(&ids)).unwrap());
    assert!(nearest == "none" && distance < 1e-4, "{nearest}, {distance}");
}

/// What the page is held to.
#[test]
fn the_recorded_answers_are_what_is_written() {
    let recorded: Json = serde_json::from_slice(&file("answers.json")).unwrap();
    let question = recorded["question"].as_str().unwrap();
    let mut model = load();
    for (name, answer) in recorded["answers"].as_object().unwrap() {
        let (name, order) = match name.split_once(", ") {
            Some((name, "key-value")) => (name, Some(TunedOrder::KeyValue)),
            _ => (name.as_str(), None),
        };
        match name {
            "none" => assert!(block_on(model.begin_from(None)).unwrap()),
            _ => block_on(model.restore_state(&model.open_state(&file(name), name, order).unwrap().0)).unwrap(),
        }
        let prompt = Prompt::Chat(vec![ChatMessage::new("user", question)]);
        let sampler = SamplerOptions { temperature: 0.0, ..Default::default() };
        let options = GenerateOptions { sampler, max_tokens: 32, ..Default::default() };
        let mut generation = Generation::new(&model, &prompt, options).unwrap();
        let mut text = String::new();
        while let Some(event) = block_on(generation.next(&mut model)).unwrap() {
            match event {
                Event::Token { text: more, .. } | Event::End { text: more, .. } => text += &more,
                Event::Prefill { .. } => {}
            }
        }
        assert_eq!(&text, answer.as_str().unwrap(), "{name} {order:?}");
    }
}

#[test]
fn the_order_follows_from_the_name() {
    for (name, order) in [
        ("a.pth", TunedOrder::ValueKey),
        ("a.st.pth", TunedOrder::ValueKey),
        ("A.ST", TunedOrder::KeyValue),
        ("https://example.org/a.state?download=1", TunedOrder::KeyValue),
        ("a.st.gz", TunedOrder::KeyValue),
        ("a.safetensors", TunedOrder::ValueKey),
        ("", TunedOrder::ValueKey),
    ] {
        assert_eq!(TunedOrder::of_name(name), order, "{name}");
    }
}

fn sampled(seed: u64, reuse: bool) -> GenerateOptions {
    let sampler = SamplerOptions { temperature: 1.0, seed: Some(seed), ..Default::default() };
    GenerateOptions { sampler, max_tokens: 8, ignore_eos: true, reuse, ..Default::default() }
}

fn run(model: &mut Model, tokens: &[u32], options: GenerateOptions) -> Run {
    run_until(model, &Prompt::Tokens(tokens.to_vec()), options, usize::MAX)
}

const TEXT: [u32; 12] = [9, 200, 31, 7, 7, 61, 150, 90, 12, 33, 8, 101];

/// What is written from zeros, and from the tuned state.
fn both(model: &mut Model, tuned: &Snapshot) -> [Vec<u32>; 2] {
    block_on(model.begin_from(None)).unwrap();
    let plain = run(model, &TEXT, sampled(4, false)).ids;
    block_on(model.restore_state(tuned)).unwrap();
    let begun = run(model, &TEXT, sampled(4, false)).ids;
    block_on(model.begin_from(None)).unwrap();
    model.checkpoints().clear();
    assert_ne!(plain, begun, "the beginning changes nothing");
    [plain, begun]
}

/// No text goes on from a checkpoint of another beginning, whichever came first.
#[test]
fn checkpoints_belong_to_their_beginning() {
    let mut model = load();
    let tuned = open(&model, "time-state.safetensors");
    let other = open(&model, "time-state-bf16.safetensors");
    let [plain, begun] = both(&mut model, &tuned);
    let mut kept = 0;
    for round in 0..3 {
        block_on(model.begin_from(None)).unwrap();
        let zeros = run(&mut model, &TEXT, sampled(4, true));
        block_on(model.restore_state(&tuned)).unwrap();
        let from_tuned = run(&mut model, &TEXT, sampled(4, true));
        block_on(model.restore_state(&other)).unwrap();
        let from_other = run(&mut model, &TEXT, sampled(4, true));
        assert_eq!((&zeros.ids, &from_tuned.ids), (&plain, &begun), "round {round}");
        // From the second round on each reads one token, after its own checkpoint.
        let read = if round == 0 { TEXT.len() } else { 1 };
        assert_eq!([zeros.prefilled, from_tuned.prefilled, from_other.prefilled], [read; 3], "round {round}");
        if round > 0 {
            assert_eq!(model.checkpoints().list().len(), kept, "the same are made again");
        }
        kept = model.checkpoints().list().len();
    }
    assert_eq!(model.beginning(), other.beginning);
    assert_eq!(model.known_tokens(&TEXT), TEXT.len() - 1);
    block_on(model.begin_from(tuned.beginning)).unwrap();
    model.checkpoints().clear();
    assert_eq!(model.known_tokens(&TEXT), 0);
}

#[test]
fn a_state_that_began_from_a_tuned_one_goes_on_exactly() {
    let mut model = load();
    let tuned = open(&model, "time-state.safetensors");
    let [plain, begun] = both(&mut model, &tuned);
    block_on(model.restore_state(&tuned)).unwrap();
    let first = run_until(&mut model, &Prompt::Tokens(TEXT.to_vec()), sampled(4, true), 3).ids;
    let saved = block_on(model.save_state()).unwrap();
    assert_eq!(saved.beginning, tuned.beginning);
    let file = saved.to_bytes(Numbers::F32).unwrap();
    let saved = Snapshot::from_bytes(&file).unwrap();
    assert_eq!(saved.beginning, tuned.beginning);
    let resume = GenerateOptions { resume: true, max_tokens: 5, ignore_eos: true, ..Default::default() };

    // Where its beginning is known, where another one is, and where it was never heard of.
    let mut fresh = load();
    let mut elsewhere = load();
    block_on(elsewhere.restore_state(&open(&elsewhere, "time-state-bf16.safetensors"))).unwrap();
    for (knows, model) in [(true, &mut model), (false, &mut elsewhere), (false, &mut fresh)] {
        run(model, &[5, 6], sampled(1, true));
        block_on(model.restore_state(&saved)).unwrap();
        let rest = run(model, &[], resume.clone()).ids;
        assert_eq!([first.as_slice(), &rest].concat(), begun);
        // The text as a prompt: from the checkpoint of the state, and never from zeros.
        let prompt = [&TEXT, first.as_slice()].concat();
        assert_eq!(run(model, &prompt, GenerateOptions { max_tokens: 0, ..sampled(4, true) }).prefilled, 1);
        // Another text has to be read anew.
        let [mut anew, mut batch] = [1, 3].map(|sequences| {
            let prompts = vec![Prompt::Tokens(TEXT[1..].to_vec()); sequences];
            Generation::batch(model, &prompts, &sampled(4, true), sequences).unwrap()
        });
        let results = [block_on(anew.next(model)).map(|_| ()), block_on(batch.next(model)).map(|_| ())];
        let logits = block_on(model.logits(&TEXT));
        for result in results.into_iter().chain([logits.map(|_| ())]) {
            match result {
                Ok(()) => assert!(knows),
                Err(Error::BeginningUnknown { beginning }) => {
                    assert!(!knows);
                    assert_eq!(beginning, tuned.beginning.unwrap().to_string());
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(block_on(model.continue_logits(&[1])).is_ok(), knows);
        // Once the beginning comes, everything goes.
        model.add_checkpoint(&tuned).unwrap();
        assert!(block_on(model.begin_from(tuned.beginning)).unwrap());
        assert_eq!(run(model, &TEXT, sampled(4, false)).ids, begun);
        block_on(model.begin_from(None)).unwrap();
        assert_eq!(run(model, &TEXT, sampled(4, true)).ids, plain);
    }
}

/// The beginning itself can be saved, also by a model that has read nothing since it was loaded again.
#[test]
fn a_beginning_is_a_state_like_others() {
    let mut model = load();
    let tuned = open(&model, "time-state.safetensors");
    let read = block_on(model.logits(&TEXT)).unwrap();
    block_on(model.restore_state(&tuned)).unwrap();
    let begun = block_on(model.continue_logits(&TEXT)).unwrap();
    assert_ne!(read, begun);
    block_on(model.begin_from(tuned.beginning)).unwrap();
    model.begin().unwrap();
    assert_eq!(block_on(model.save_state()).unwrap(), tuned);
    block_on(model.reload(sources(), &options(), &mut |_, _| {})).unwrap();
    assert_eq!(block_on(model.save_state()).unwrap(), tuned);
    assert_eq!(block_on(model.continue_logits(&TEXT)).unwrap(), begun);
    // Several sequences and one again.
    block_on(model.begin_sequences(3)).unwrap();
    block_on(model.begin_sequences(1)).unwrap();
    assert_eq!(block_on(model.continue_logits(&TEXT)).unwrap(), begun);

    let bytes = tuned.to_bytes(Numbers::F32).unwrap();
    assert_eq!(Snapshot::from_bytes(&bytes).unwrap(), tuned);
    // Rounded numbers are another beginning.
    let rounded = Snapshot::from_bytes(&tuned.to_bytes(Numbers::F16).unwrap()).unwrap();
    assert!(rounded.beginning.is_some() && rounded.beginning != tuned.beginning);
    model.check_state(&rounded).unwrap();
    let lie = Snapshot { beginning: rounded.beginning, ..tuned.clone() };
    assert!(matches!(model.check_state(&lie), Err(Error::StateDamaged { .. })));
    // A state of zeros before the first token is no beginning of its own.
    block_on(model.begin_from(None)).unwrap();
    model.begin().unwrap();
    let zeros = block_on(model.save_state()).unwrap();
    assert_eq!((zeros.beginning, zeros.position()), (None, 0));
    block_on(model.restore_state(&tuned)).unwrap();
    block_on(model.restore_state(&zeros)).unwrap();
    assert_eq!(block_on(model.continue_logits(&TEXT)).unwrap(), read);
    let text = tuned.beginning.unwrap().to_string();
    assert_eq!(text.parse::<BeginningHash>().unwrap(), tuned.beginning.unwrap());
    for wrong in ["", "0", &text[1..], &text.to_uppercase(), &format!("+{}", &text[1..])] {
        assert!(wrong.parse::<BeginningHash>().is_err() || wrong == text, "{wrong}");
    }
}

/// A lost device in the middle of an answer, or of several, and a change of the beginning in between.
#[test]
fn an_answer_keeps_its_beginning() {
    let mut model = load();
    let tuned = open(&model, "time-state.safetensors");
    let [_, begun] = both(&mut model, &tuned);
    block_on(model.restore_state(&tuned)).unwrap();
    for reuse in [false, true] {
        for step in 0..9 {
            model.checkpoints().clear();
            let mut one = Generation::new(&model, &Prompt::Tokens(TEXT.to_vec()), sampled(4, reuse)).unwrap();
            let (mut ids, mut taken) = (Vec::new(), 0);
            while let Some(event) = block_on(one.next(&mut model)).unwrap() {
                ids.extend(if let Event::Token { id, .. } = event { Some(id) } else { None });
                if taken == step {
                    // Its checkpoints are gone too: all is read again.
                    model.checkpoints().clear();
                    block_on(model.reload(sources(), &options(), &mut |_, _| {})).unwrap();
                }
                taken += 1;
            }
            assert_eq!(ids, begun, "loaded again after event {step}");
        }
        let prompts = vec![Prompt::Tokens(TEXT.to_vec()); 3];
        let mut many = Generation::batch(&model, &prompts, &sampled(4, reuse), 2).unwrap();
        let mut ids = vec![Vec::new(); 3];
        while let Some(event) = block_on(many.next_indexed(&mut model)).unwrap() {
            if let Event::Token { id, .. } = event.event {
                ids[event.index].push(id);
            }
        }
        assert_eq!(ids[0], begun, "in a batch");
        block_on(model.begin_from(None)).unwrap();
        let plain = run(&mut model, &TEXT, GenerateOptions { max_tokens: 8, ..sampled(5, false) }).ids;
        assert_ne!(ids[1], plain);
        block_on(model.restore_state(&tuned)).unwrap();
    }
    let mut one = Generation::new(&model, &Prompt::Tokens(TEXT.to_vec()), sampled(4, true)).unwrap();
    block_on(one.next(&mut model)).unwrap();
    block_on(model.begin_from(None)).unwrap();
    assert_eq!(block_on(one.next(&mut model)).unwrap_err(), Error::Busy);
}

/// Steps that ran ahead are rolled back when the beginning is written, and nothing of them is left.
#[test]
#[cfg(feature = "gpu")]
fn a_gpu_begins_from_it() {
    let record = recorded();
    let mut model = block_on(Model::load(sources(), &on_gpu(), &mut |_, _| {})).unwrap();
    let tuned = open(&model, "time-state.safetensors");
    let distance = |model: &mut Model, case: &str| {
        farthest(&block_on(model.logits(&ids(&record))).unwrap(), &right(&record, case))
    };
    let begun = both(&mut model, &tuned)[1].clone();
    for round in 0..3 {
        block_on(model.restore_state(&tuned)).unwrap();
        // It has sampled and runs ahead.
        run_until(&mut model, &Prompt::Tokens(TEXT.to_vec()), sampled(4, true), 4);
        assert!(distance(&mut model, "as_is") < 2e-4, "round {round}");
        run_until(&mut model, &Prompt::Tokens(TEXT.to_vec()), sampled(4, true), 4);
        block_on(model.begin_from(None)).unwrap();
        assert!(distance(&mut model, "none") < 2e-4, "round {round}");
        block_on(model.begin_from(tuned.beginning)).unwrap();
        model.checkpoints().clear();
        let mut one = Generation::new(&model, &Prompt::Tokens(TEXT.to_vec()), sampled(4, false)).unwrap();
        let (mut ids, mut taken) = (Vec::new(), 0);
        while let Some(event) = block_on(one.next(&mut model)).unwrap() {
            ids.extend(if let Event::Token { id, .. } = event { Some(id) } else { None });
            taken += 1;
            if taken == 4 {
                block_on(model.reload(sources(), &on_gpu(), &mut |_, _| {})).unwrap();
            }
        }
        assert_eq!(ids, begun, "round {round}");
    }
    let prompts = vec![Prompt::Tokens(TEXT.to_vec()); 3];
    let mut many = Generation::batch(&model, &prompts, &sampled(4, false), 3).unwrap();
    let mut ids = Vec::new();
    while let Some(event) = block_on(many.next_indexed(&mut model)).unwrap() {
        if let (0, Event::Token { id, .. }) = (event.index, event.event) {
            ids.push(id);
        }
    }
    assert_eq!(ids, begun, "in a batch");
}

/// Without a trial, whose models are others.
#[derive(Debug)]
struct TwoRanks(LocalWorkerPool);

impl WorkerPool for TwoRanks {
    fn max_ranks(&self) -> usize {
        self.0.max_ranks()
    }

    fn requested_ranks(&self) -> Option<usize> {
        Some(2)
    }

    fn start(&self, config: RankConfig) -> LocalBoxFuture<'_, web_mamba::Result<Started>> {
        self.0.start(config)
    }
}

/// Workers get their own heads of it.
#[test]
fn ranks_begin_from_it() {
    let mut whole = load();
    let tuned = open(&whole, "time-state.safetensors");
    block_on(whole.restore_state(&tuned)).unwrap();
    let expected = block_on(whole.logits(&TEXT)).unwrap();
    let pool = LocalWorkerPool(Arc::new(|| RandomModel(golden::open(&model_path()))));
    let workers: Rc<dyn WorkerPool> = Rc::new(TwoRanks(pool));
    let shared = LoadOptions { workers: Some(workers), ..options() };
    let mut ranks = block_on(Model::load(sources(), &shared, &mut |_, _| {})).unwrap();
    assert!(ranks.info().adapter.contains('2') || ranks.info().reason.contains('2'), "{:?}", ranks.info());
    block_on(ranks.restore_state(&tuned)).unwrap();
    for _ in 0..2 {
        let found = block_on(ranks.logits(&TEXT)).unwrap();
        assert!(farthest(&expected, &found) < 1e-4, "{}", farthest(&expected, &found));
        block_on(ranks.reload(sources(), &shared, &mut |_, _| {})).unwrap();
    }
}

fn network() -> ModelFile {
    golden::open(&model_path())
}

fn refusal(file: &ModelFile, bytes: &[u8]) -> String {
    let error = Snapshot::open(bytes, ("x.pth", None), &ModelHash([0; 16]), &file.network).unwrap_err();
    assert!(["tuned-state", "not-state", "state-version", "state-damaged"].contains(&error.code()), "{error}");
    assert!(error.remedy().ends_with('.'));
    error.to_string()
}

#[test]
fn a_state_of_another_model_is_refused_by_what_differs() {
    let file_of = |name: &str| golden::open(&golden::folder().join("models").join(name));
    let tuned = file("time-state.pth");
    let mamba = refusal(&file_of("mamba-tiny-F16.gguf"), &tuned);
    assert!(mamba.contains("`mamba` has none"), "{mamba}");
    let larger = refusal(&file_of("rwkv7-b-Q4_K_M.gguf"), &tuned);
    assert!(larger.contains("blocks.0.att.time_state") || larger.contains("has no `"), "{larger}");
}

/// A file like the golden one, with parts that a test changes.
fn torch_file() -> TorchFile {
    let network = network().network;
    let wanted = network.architecture.tuned_states();
    let numbers = wanted[0].heads * wanted[0].size * wanted[0].size;
    let storages = (0..wanted.len()).map(|i| Storage::f32(&i.to_string(), &vec![0.5; numbers]));
    let shape = [wanted[0].heads, wanted[0].size, wanted[0].size];
    let tensors = wanted.iter().zip(0..).map(|(wanted, i)| pickle::tensor(&wanted.name, i, numbers, shape)).collect();
    TorchFile { storages: storages.collect(), tensors, ..TorchFile::default() }
}

#[test]
fn a_pickle_that_wants_more_than_tensors_is_refused_by_name() {
    let file = network();
    Snapshot::open(&torch_file().to_bytes(), ("x.pth", None), &ModelHash([0; 16]), &file.network).unwrap();
    let with = |pickle: &[u8]| TorchFile { pickle: Some(pickle.to_vec()), ..torch_file() }.to_bytes();
    for (pickle, expected) in [
        (&b"\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R."[..], "os.system"),
        (b"\x80\x02cbuiltins\neval\n.", "builtins.eval"),
        (b"\x80\x04\x8c\x05torch\x8c\x0cTypedStorage\x93.", "torch.TypedStorage"),
        (b"\x80\x02ctorch._utils\n_rebuild_parameter\n.", "_rebuild_parameter"),
        (b"\x80\x02ctorch\nDoubleStorage\n.", "DoubleStorage"),
        (b"\x80\x02K\x01.", "no dictionary"),
        (b"\x80\x02}K\x01K\x02s.", "no text"),
        (b"\x80\x02}X\x01\0\0\0aNs.", "`a` is no tensor"),
        (b"\x80\x02}(X\x01\0\0\0au.", "without a value"),
        (b"\x80\x02.", "its stack"),
        (b"\x80\x02", "too early"),
        (b"", "too early"),
        (b"\x80\x02h\x05.", "not made"),
        (b"\x80\x02X\xff\xff\xff\xff", "too early"),
        (b"\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\xff", "too early"),
        (b"\x80\x02NQ.", "a storage of another form"),
        (b"\x80\x02]q\0h\0a0}.", "has no `blocks.0"),
        (b"\x80\x02\x8f.", "0x8f"),
    ] {
        let error = refusal(&file, &with(pickle));
        assert!(error.contains(expected), "{error}, not {expected}");
    }
    // A million levels, and as many values that are never used.
    for code in [b"N\x85".as_slice(), b")", b"]", b"}", b"(", b"N2", b"K\x01\x94"] {
        refusal(&file, &with(&[code.repeat(100_000), b".".to_vec()].concat()));
        refusal(&file, &with(&[b"N".to_vec(), b"\x85".repeat(100_000), b".".to_vec()].concat()));
    }
    let huge = refusal(&file, &with(&vec![b'N'; 300_000]));
    assert!(huge.contains("300000 bytes"), "{huge}");
}

#[test]
fn an_archive_that_torch_would_not_write_is_refused() {
    let file = network();
    let numbers = torch_file().storages[0].bytes.len() / 4;
    let shape = [1, 64, 64];
    let with_tensor = |tensor: Vec<u8>| {
        let mut torch = torch_file();
        torch.tensors[0] = tensor;
        torch.to_bytes()
    };
    let name = "blocks.0.att.time_state";
    for (bytes, expected) in [
        (TorchFile { byteorder: b"big".to_vec(), ..torch_file() }.to_bytes(), "big-endian"),
        (TorchFile { compressed: true, ..torch_file() }.to_bytes(), "compressed"),
        (TorchFile { twice: true, ..torch_file() }.to_bytes(), "twice"),
        (TorchFile { storages: Vec::new(), ..torch_file() }.to_bytes(), "is not there"),
        (with_tensor(pickle::tensor(name, 0, numbers + 1, shape)), "numbers are told"),
        (with_tensor(pickle::tensor(name, 0, usize::MAX, shape)), "a length of another form"),
        (with_tensor(pickle::tensor(name, 0, numbers, [1 << 40, 64, 64])), "has the shape"),
        (with_tensor(pickle::tensor("emb.weight", 0, numbers, shape)), "no place for it"),
        (with_tensor(pickle::tensor("blocks.1.att.time_state", 0, numbers, shape)), "twice"),
        (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.".to_vec(), "before PyTorch 1.6"),
    ] {
        let error = refusal(&file, &bytes);
        assert!(error.contains(expected), "{error}, not {expected}");
    }
    // Strides that leave the storage, and numbers that are none.
    let [heads, size, _] = torch_file().shape();
    for strides in [[i64::MAX as u64, 1, 1], [1, u64::from(u32::MAX), 1], [(size * size) as u64, size as u64, 2]] {
        let tensor = pickle::strided(name, 0, numbers, [heads, size, size], strides, 0);
        assert!(refusal(&file, &with_tensor(tensor)).contains("ends too early"), "{strides:?}");
    }
    let tensor = pickle::strided(name, 0, numbers, [heads, size, size], [(size * size) as u64, size as u64, 1], 1);
    assert!(refusal(&file, &with_tensor(tensor)).contains("ends too early"));
    let mut torch = torch_file();
    torch.storages[1].bytes[8..12].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(refusal(&file, &torch.to_bytes()).contains("infinite or none"));
    let mut damaged = torch_file().to_bytes();
    let at = damaged.len() / 2;
    damaged[at] ^= 1;
    assert!(refusal(&file, &damaged).contains("damaged"));
}

#[test]
fn safetensors_with_a_fault_are_refused_by_it() {
    let file = network();
    let whole = self::file("time-state.safetensors");
    let length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let text = std::str::from_utf8(&whole[8..8 + length]).unwrap();
    let with = |from: &str, to: &str| {
        assert!(text.contains(from));
        let text = text.replacen(from, to, 1);
        [&(text.len() as u64).to_le_bytes(), text.as_bytes(), &whole[8 + length..]].concat()
    };
    for (bytes, expected) in [
        (with("\"F32\"", "\"F64\""), "F64"),
        (with("\"F32\"", "\"F16\""), "another length"),
        (with("time_state", "time_stat"), "time_stat`"),
        (with("\"shape\"", "\"form\""), "not described"),
        (with("[0, ", "[99999999999999999999999, "), "not described"),
        (with("[0, ", "[18446744073709551615, "), "another length"),
        (with("[0, ", &format!("[{}0, ", "[".repeat(5000))), "its description"),
        (whole[..whole.len() - 1].to_vec(), "ends too early"),
        (whole[..100].to_vec(), "ends in its description"),
        ([&[0, 0, 0, 255, 0, 0, 0, 0], b"{".as_slice()].concat(), "bytes"),
    ] {
        let error = refusal(&file, &bytes);
        assert!(error.contains(expected), "{error}, not {expected}");
    }
    assert!(refusal(&file, b"<!doctype html>").contains("not a saved state"));
    assert!(refusal(&file, b"").contains("not a saved state"));
}

#[test]
fn no_cut_of_a_file_is_opened() {
    let file = network();
    for name in ["time-state.pth", "time-state-web-rwkv.st"] {
        let bytes = self::file(name);
        for end in (0..bytes.len()).step_by(211).chain(bytes.len() - 300..bytes.len()).chain(0..300) {
            refusal(&file, &bytes[..end]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is changed, the outcome is an error with a remedy or a state of finite numbers.
    #[test]
    fn hostile_tuned_states_are_errors_or_states(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        ends in any::<bool>(),
        kind in 0usize..3,
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        thread_local! {
            static FILES: (ModelFile, [Vec<u8>; 3]) =
                (network(), ["time-state.pth", "time-state-strided.pth", "time-state.safetensors"].map(self::file));
        }
        FILES.with(|(file, files)| {
            let mut bytes = files[kind].clone();
            for (at, byte) in changes {
                // Where what describes it lies: the first and the last bytes.
                let room = bytes.len().min(700);
                let at = if ends { at.index(room) } else { bytes.len() - 1 - at.index(room) };
                bytes[at] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            match Snapshot::open(&bytes, ("x.pth", None), &ModelHash([0; 16]), &file.network) {
                Ok((snapshot, _)) => prop_assert!(snapshot.state.is_finite() && snapshot.position() == 0),
                Err(error) => prop_assert!(error.remedy().ends_with('.')),
            }
            Ok(())
        })?;
    }

    /// Pickles of any instructions, in an archive that is sound.
    #[test]
    fn hostile_pickles_are_errors(
        codes in prop::collection::vec(prop::sample::select(
            b".\x80(012NGJKMXU)]aeu}sctQRbqrhj\x85\x86\x87\x88\x8a\x8c\x8d\x93\x94\x95\0\x01\x02\xff".to_vec()), 0..60),
        valid in any::<bool>(),
    ) {
        thread_local! { static FILE: ModelFile = network(); }
        FILE.with(|file| {
            let mut torch = torch_file();
            let mut pickle = codes;
            if valid {
                // After a sound beginning.
                let sound = torch.described();
                pickle = [&sound[..sound.len() - 1], &pickle].concat();
            }
            torch.pickle = Some([pickle.as_slice(), b"."].concat());
            if let Err(error) = Snapshot::open(&torch.to_bytes(), ("x.pth", None), &ModelHash([0; 16]), &file.network) {
                prop_assert!(error.remedy().ends_with('.'));
            }
            Ok(())
        })?;
    }
}
