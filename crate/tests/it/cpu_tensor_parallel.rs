//! Ranks that share a model, each with a slice of it, against one executor over the whole.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;

use crate::support::batches::{alone, batched};
use crate::support::local_workers::LocalWorkerPool;
use crate::support::random_model::{RandomModel, Shape};
use crate::support::runs::{IDS, logits};
use pollster::block_on;
use proptest::prelude::*;
use web_mamba::Result;
use web_mamba::cpu::CpuExecutor;
use web_mamba::cpu::tensor_parallel::{Command, RankConfig, RemoteRanks, Started, TensorParallelExecutor, WorkerPool};
use web_mamba::engine::{BackendChoice, LoadOptions, Model};
use web_mamba::error::Error;
use web_mamba::executor::{Activations, Executor, Outputs};
use web_mamba::generate::{Event, GenerateOptions, Generation, Prompt};
use web_mamba::model::{Slice, State, Weight};
use web_mamba::quant::DType;
use web_mamba::sampler::SamplerOptions;

fn whole(model: &RandomModel, activations: Activations) -> CpuExecutor {
    block_on(CpuExecutor::load(model, activations, &mut |_| {})).unwrap()
}

fn parallel(shape: Shape, dtype: DType, ranks: usize, activations: Activations) -> TensorParallelExecutor {
    let pool = LocalWorkerPool(Arc::new(move || RandomModel::new(&shape, dtype, 5)));
    let model = (pool.0)();
    let mut read = 0;
    let mut progress = |bytes| read += bytes;
    let load = TensorParallelExecutor::load(&model, activations, (&pool, ranks, false), &mut progress);
    let executor = block_on(load).unwrap();
    assert_eq!(read, model.weights.all().iter().map(Weight::bytes).sum::<u64>());
    executor
}

fn root_mean_square(values: impl Iterator<Item = f32>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), v| (sum + f64::from(v).powi(2), count + 1));
    (sum / f64::from(count.max(1))).sqrt()
}

fn difference(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    root_mean_square(a.iter().zip(b).map(|(a, b)| a - b)) / root_mean_square(a.iter().copied())
}

fn max_ranks(shape: &Shape, dtype: DType) -> usize {
    let model = RandomModel::new(shape, dtype, 5);
    Slice::max_ranks(&model.network, &model.weights)
}

#[test]
fn commands_round_trip_as_words() {
    let state = State { position: 1 << 40 | 7, tensors: vec![vec![1.5, -0.0], Vec::new(), vec![f32::MIN_POSITIVE; 3]] };
    for command in [
        Command::Forward { sequence: 3, outputs: Outputs::Each, tokens: vec![7, 0, u32::MAX] },
        Command::Forward { sequence: 0, outputs: Outputs::None, tokens: vec![] },
        Command::DecodeBatch(vec![4, 0, 31], vec![7, u32::MAX, 7]),
        Command::SetSequences(9),
        Command::Reset(1),
        Command::ReadState(31),
        Command::WriteState(2, state),
    ] {
        assert_eq!(Command::from_words(&command.to_words()), Some(command));
    }
    for words in
        [&[] as &[u32], &[0, 1], &[0, 1, 3], &[5], &[5, 0], &[6, 0], &[4, 0, 0, 0, 2, 1], &[4, 0, 0, 0, 1, 0, 1]]
    {
        assert_eq!(Command::from_words(words), None, "{words:?}");
    }
}

/// Every type, cut for two ranks and for the most ranks. Without rounding, only the order of additions differs.
#[test]
fn ranks_give_what_one_executor_gives() {
    for (i, dtype) in DType::all().enumerate() {
        let shape = Shape { norm_dt_b_c: i % 2 == 0, tied_head: i % 3 == 0, d_inner: 768, ..Shape::odd(dtype) };
        let model = RandomModel::new(&shape, dtype, 5);
        let exact = logits(&mut whole(&model, Activations::F32));
        let rounded = logits(&mut whole(&model, Activations::Q8));
        for ranks in [2, max_ranks(&shape, dtype).min(7)] {
            let found = difference(&exact, &logits(&mut parallel(shape, dtype, ranks, Activations::F32)));
            assert!(found < 1e-5, "{dtype}, {ranks} ranks, f32: {found}");
            // A sum that differs in its last bit may be rounded to the next of 255 steps: no farther from the exact logits than
            // one executor's, but elsewhere.
            let found = difference(&exact, &logits(&mut parallel(shape, dtype, ranks, Activations::Q8)));
            let alone = difference(&exact, &rounded);
            println!("{dtype}, {ranks} ranks: {found:.1e}, alone {alone:.1e}");
            assert!(found < 1.25 * alone + 1e-5, "{dtype}, {ranks} ranks: {found}, alone {alone}");
        }
    }
}

/// In chunks of several tokens and of one, and the state goes on after them.
#[test]
fn ranks_give_the_hidden_states_of_one_executor() {
    let dtype = DType::Q4_K;
    let shape = Shape { d_inner: 768, ..Shape::odd(dtype) };
    let hidden = |executor: &mut dyn Executor| {
        let chunks = [&[7, 1900, 3][..], &[5], &[11, 12]];
        let rows: Vec<f32> = chunks.iter().flat_map(|ids| block_on(executor.hidden(0, ids)).unwrap()).collect();
        let width = executor.network().d_model;
        assert_eq!(rows.len(), 6 * width);
        (rows, block_on(executor.read_state(0)).unwrap())
    };
    let (expected, state) = hidden(&mut whole(&RandomModel::new(&shape, dtype, 5), Activations::F32));
    let (found, after) = hidden(&mut parallel(shape, dtype, 2, Activations::F32));
    assert!(difference(&expected, &found) < 1e-5);
    assert_eq!((state.position, after.position), (6, 6));
    assert!(difference(&state.tensors.concat(), &after.tensors.concat()) < 1e-5);
}

/// Each sequence goes on as it would alone, bit for bit.
#[test]
fn ranks_decode_batches() {
    for (ranks, dtype) in [(1, DType::Q8_0), (2, DType::Q4_K), (3, DType::F16)] {
        let shape = Shape { d_inner: 768, ..Shape::odd(dtype) };
        let mut executor = parallel(shape, dtype, ranks, Activations::Q8);
        assert_eq!(batched(&mut executor), alone(&mut executor), "{dtype}, {ranks} ranks");
    }
}

#[test]
fn a_single_rank_is_one_executor() {
    let shape = Shape::odd(DType::Q4_K);
    let alone = logits(&mut whole(&RandomModel::new(&shape, DType::Q4_K, 5), Activations::Q8));
    assert_eq!(logits(&mut parallel(shape, DType::Q4_K, 1, Activations::Q8)), alone);
}

/// A pool that requests this number of ranks.
#[derive(Debug)]
struct FixedWorkerPool(LocalWorkerPool, usize);

impl WorkerPool for FixedWorkerPool {
    fn max_ranks(&self) -> usize {
        self.0.max_ranks()
    }

    fn requested_ranks(&self) -> Option<usize> {
        Some(self.1)
    }

    fn start(&self, config: RankConfig) -> LocalBoxFuture<'_, Result<Started>> {
        self.0.start(config)
    }
}

/// The workers are those that a model was loaded with, wherever it ran before, unless others are named.
#[test]
fn a_model_that_is_loaded_again_keeps_its_workers() {
    let shape = Shape { d_inner: 88, ..Shape::odd(DType::F32) };
    let make = move || RandomModel::new(&shape, DType::F32, 5);
    let pool = |ranks| Some(Rc::new(FixedWorkerPool(LocalWorkerPool(Arc::new(make)), ranks)) as Rc<dyn WorkerPool>);
    let sources = || make().gguf.sources().to_vec();
    let on = |backend, workers| LoadOptions { backend, workers, ..LoadOptions::default() };
    for first in [BackendChoice::WebGpu, BackendChoice::Cpu] {
        let mut model = match block_on(Model::load(sources(), &on(first, pool(3)), &mut |_, _| {})) {
            // Without a device the other round has to do.
            Err(Error::NoGpu { .. }) if first == BackendChoice::WebGpu => continue,
            model => model.unwrap(),
        };
        let expected = block_on(model.logits(&IDS[..9])).unwrap();
        assert_eq!(model.info().adapter.contains("3 workers"), first == BackendChoice::Cpu);
        block_on(model.reload(sources(), &on(BackendChoice::Cpu, None), &mut |_, _| {})).unwrap();
        assert!(model.info().adapter.contains("3 workers"), "{}", model.info().adapter);
        assert!(difference(&expected, &block_on(model.logits(&IDS[..9])).unwrap()) < 1e-2);
        block_on(model.reload(sources(), &on(BackendChoice::Cpu, pool(2)), &mut |_, _| {})).unwrap();
        assert!(model.info().adapter.contains("2 workers"), "{}", model.info().adapter);
    }
}

/// A pool of two ranks whose second worker is gone after this number of commands, once.
#[derive(Debug)]
struct FailingWorkerPool(LocalWorkerPool, Rc<Cell<usize>>);

struct FailingRanks(Box<dyn RemoteRanks>, Rc<Cell<usize>>);

impl RemoteRanks for FailingRanks {
    fn loaded(&mut self) -> LocalBoxFuture<'_, Result<()>> {
        self.0.loaded()
    }

    fn command(&mut self, rank: usize, command: &Command) -> Result<()> {
        match self.1.replace(self.1.get().saturating_sub(1)) {
            1 => Err(Error::Worker { rank, problem: "it is gone".into() }),
            _ => self.0.command(rank, command),
        }
    }
}

impl WorkerPool for FailingWorkerPool {
    fn max_ranks(&self) -> usize {
        self.0.max_ranks()
    }

    fn requested_ranks(&self) -> Option<usize> {
        Some(2)
    }

    fn start(&self, config: RankConfig) -> LocalBoxFuture<'_, Result<Started>> {
        Box::pin(async move {
            let (communicator, remote) = self.0.start(config).await?;
            Ok((communicator, Box::new(FailingRanks(remote, Rc::clone(&self.1))) as Box<dyn RemoteRanks>))
        })
    }
}

/// Takes events up to the last, and loads the model again where a worker is gone.
fn follow<E>(
    mut next: impl FnMut(&mut Model) -> Result<Option<E>>,
    model: &mut Model,
    reload: &dyn Fn(&mut Model),
) -> (Vec<E>, usize) {
    let (mut events, mut losses) = (Vec::new(), 0);
    loop {
        match next(model) {
            Ok(Some(event)) => events.push(event),
            Ok(None) => return (events, losses),
            Err(Error::Worker { .. }) if losses < 3 => {
                losses += 1;
                reload(model);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn ids_of<'e>(events: impl Iterator<Item = &'e Event>) -> Vec<u32> {
    events.filter_map(|event| if let Event::Token { id, .. } = event { Some(*id) } else { None }).collect()
}

/// Whether a worker is lost while the prompt is read or between two tokens, what is written is what would have been.
#[test]
fn completions_go_on_after_a_worker_is_lost() {
    let shape = Shape { d_inner: 88, ..Shape::odd(DType::F32) };
    let make = move || RandomModel::new(&shape, DType::F32, 5);
    let left = Rc::new(Cell::new(0));
    let pool: Rc<dyn WorkerPool> = Rc::new(FailingWorkerPool(LocalWorkerPool(Arc::new(make)), Rc::clone(&left)));
    let load = LoadOptions { backend: BackendChoice::Cpu, workers: Some(pool), ..LoadOptions::default() };
    let sources = || make().gguf.sources().to_vec();
    let mut model = block_on(Model::load(sources(), &load, &mut |_, _| {})).unwrap();
    let reload = |model: &mut Model| block_on(model.reload(sources(), &load, &mut |_, _| {})).unwrap();
    let prompt = Prompt::Tokens(IDS.to_vec());
    let sampler = SamplerOptions { temperature: 1.0, seed: Some(3), ..SamplerOptions::default() };
    let options = GenerateOptions { sampler, max_tokens: 9, reuse: false, ..GenerateOptions::default() };
    let one = |model: &mut Model, commands| {
        let mut generation = Generation::new(model, &prompt, options.clone()).unwrap();
        left.set(commands);
        let (events, losses) = follow(|model| block_on(generation.next(model)), model, &reload);
        (ids_of(events.iter()), losses)
    };
    let alone = one(&mut model, 0);
    assert_eq!((alone.0.len(), alone.1), (9, 0));
    for commands in 1..=10 {
        assert_eq!(one(&mut model, commands), (alone.0.clone(), 1), "lost at command {commands}");
    }
    let prompts = [prompt.clone(), Prompt::Tokens(IDS[3..20].to_vec())];
    let many = |model: &mut Model, commands| {
        let mut generation = Generation::batch(model, &prompts, &options, 2).unwrap();
        left.set(commands);
        let (events, losses) = follow(|model| block_on(generation.next_indexed(model)), model, &reload);
        let of = |index| ids_of(events.iter().filter(|event| event.index == index).map(|event| &event.event));
        ([of(0), of(1)], losses)
    };
    let undisturbed = many(&mut model, 0);
    assert_eq!(undisturbed.1, 0);
    // The commands of the whole run: a batch is one command.
    for commands in 1..=14 {
        assert_eq!(many(&mut model, commands), (undisturbed.0.clone(), 1), "lost at command {commands}");
    }
    // The last gives back the room of the states, when the completions are whole: its loss is the next call's to report.
    assert_eq!(many(&mut model, 15), (undisturbed.0.clone(), 0));
    assert_eq!(one(&mut model, 0), (alone.0, 1));
}

#[test]
fn states_go_in_and_out_whole() {
    let shape = Shape { d_inner: 88, ..Shape::odd(DType::F32) };
    let model = RandomModel::new(&shape, DType::F32, 5);
    let (mut one, mut many) = (whole(&model, Activations::Q8), parallel(shape, DType::F32, 3, Activations::Q8));
    logits(&mut one);
    logits(&mut many);
    let (right, found) = (block_on(one.read_state(0)).unwrap(), block_on(many.read_state(0)).unwrap());
    assert_eq!(right.position, found.position);
    right.tensors.iter().zip(&found.tensors).for_each(|(right, found)| assert!(difference(right, found) < 1e-5));

    // It goes on from another's state, in a sequence beside the first, and gives the very state back.
    block_on(many.set_sequences(2)).unwrap();
    many.write_state(1, &right).unwrap();
    assert_eq!(block_on(many.read_state(1)).unwrap(), right);
    let next =
        |executor: &mut dyn Executor, sequence| block_on(executor.forward(sequence, &[5], Outputs::Last)).unwrap();
    assert!(difference(&next(&mut one, 0), &next(&mut many, 1)) < 1e-5);
    assert_eq!(many.sequences(), 2);
    let fresh = State::new(&model.network);
    assert_eq!(block_on(many.read_state(0)).unwrap(), fresh);
    many.reset(1).unwrap();
    assert_eq!(block_on(many.read_state(1)).unwrap(), fresh);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Every channel and every token belongs to exactly one rank, whatever the sizes.
    #[test]
    fn slices_share_out_everything(d_inner in 1usize..200, vocab_size in 17usize..600, d_state in 1usize..9, d_conv in 1usize..5, ranks in 1usize..9) {
        let shape = Shape { d_inner, vocab_size, d_state, d_conv, ..Shape::odd(DType::F32) };
        let model = RandomModel::new(&shape, DType::F32, 5);
        let ranks = ranks.min(Slice::max_ranks(&model.network, &model.weights));
        let (mut channel, mut token, mut bytes) = (0, 0, 0);
        for rank in 0..ranks {
            let slice = Slice::new(&model.network, &model.weights, rank, ranks);
            let [channels, tokens] = slice.shares.as_slice() else { panic!("two axes") };
            prop_assert_eq!((channels.start, tokens.start), (channel, token));
            prop_assert!(!channels.is_empty() && !tokens.is_empty());
            (channel, token) = (channels.end, tokens.end);
            // Every rank has the norms.
            let kept = slice.weights.all().iter().filter(|w| w.slice.is_some());
            bytes += kept.map(Weight::bytes).sum::<u64>();
        }
        prop_assert_eq!((channel, token), (d_inner, vocab_size));
        let whole = model.weights.all().iter().filter(|w| !w.tensor.name.contains("norm"));
        prop_assert_eq!(bytes, whole.map(Weight::bytes).sum::<u64>());
        let ids = IDS.map(|id| id % vocab_size as u32);
        let run = |executor: &mut dyn Executor| block_on(executor.forward(0, &ids[..9], Outputs::Each)).unwrap();
        let right = run(&mut whole_of(&model));
        prop_assert!(difference(&right, &run(&mut parallel(shape, DType::F32, ranks, Activations::Q8))) < 1e-4);
    }
}

fn whole_of(model: &RandomModel) -> CpuExecutor {
    whole(model, Activations::Q8)
}
