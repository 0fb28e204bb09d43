//! Web workers that run a model together: the page's [`WorkerPool`] starts them; each runs one rank.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use js_sys::{Float32Array, Function, Promise, Reflect, Uint32Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};

use super::arguments::{FromJs, Misfit, argument, message_of};
use super::exclusive::Exclusive;
use super::source::{JsByteSource, PageSource, byte_sources};
use super::to_js;
use crate::cpu::calibrate::trial_model;
use crate::cpu::rank::{Collective, Communicator, Rank};
use crate::cpu::tensor_parallel::{Command, RankConfig, RemoteRanks, Started, WorkerPool};
use crate::error::{Error, Result};
use crate::executor::Activations;
use crate::gguf::Gguf;
use crate::model::{ModelFile, Slice};

#[wasm_bindgen(module = "/src/web/communicator.js")]
extern "C" {
    /// `SharedMemoryCommunicator` or `MessageCommunicator`.
    type JsCommunicator;
    /// Returns a promise of what was gathered, or writes it and returns nothing.
    #[wasm_bindgen(method, catch)]
    fn gather(
        this: &JsCommunicator,
        for_all: bool,
        mine: &[f32],
        lengths: &[u32],
        gathered: &mut [f32],
    ) -> Result<JsValue, JsValue>;
}

#[wasm_bindgen(module = "/src/web/workers.js")]
extern "C" {
    /// A source for several ranks: rows of which more than one rank reads columns are read once.
    #[wasm_bindgen(js_name = sharedSource)]
    fn shared_source(source: &JsByteSource, name: &str, length: f64) -> JsByteSource;

    /// Threads that run at once here.
    #[wasm_bindgen(js_name = hardwareConcurrency)]
    fn hardware_concurrency() -> u32;

    /// False where this is no worker.
    #[wasm_bindgen(js_name = serveRank)]
    fn serve(load: JsValue) -> bool;

    #[wasm_bindgen(js_name = RemoteRanks)]
    type JsRemoteRanks;
    #[wasm_bindgen(constructor, js_class = "RemoteRanks")]
    fn new(config: JsValue, sources: Vec<JsByteSource>) -> JsRemoteRanks;
    #[wasm_bindgen(method)]
    fn start(this: &JsRemoteRanks, start: &Function, module: JsValue) -> Promise;
    #[wasm_bindgen(method, getter)]
    fn communicator(this: &JsRemoteRanks) -> JsCommunicator;
    #[wasm_bindgen(method, getter)]
    fn loaded(this: &JsRemoteRanks) -> Promise;
    #[wasm_bindgen(method, catch)]
    fn command(this: &JsRemoteRanks, rank: u32, words: Uint32Array) -> Result<(), JsValue>;
    #[wasm_bindgen(method)]
    fn free(this: &JsRemoteRanks);
}

/// [`RankConfig`] and the rank, as messages carry them.
#[derive(Serialize, Deserialize)]
struct JsRankConfig {
    #[serde(default)]
    rank: usize,
    ranks: usize,
    capacity: usize,
    activations: Activations,
    trial: bool,
}

/// The option `workers` of a page.
#[derive(Debug)]
struct JsWorkerPool {
    start: Function,
    requested: Option<usize>,
    sources: Vec<PageSource>,
}

/// The number of workers that a page requests.
pub struct Count(pub usize);

impl FromJs for Count {
    const EXPECTED: &'static str = "a whole number from 1 to 4294967295";

    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        let count = usize::from_js(value).ok().filter(|&count| count > 0);
        count.map(Self).ok_or_else(|| Misfit::of::<Self>(value))
    }
}

/// Workers for a load, and the sources that all of them read.
///
/// # Errors
/// [`Error::InvalidOption`] where there is a number of workers and nothing that starts them.
pub fn worker_pool(
    start: Option<&Function>,
    requested: Option<usize>,
    sources: Vec<PageSource>,
) -> Result<(Option<Rc<dyn WorkerPool>>, Vec<PageSource>)> {
    let Some(start) = start else {
        let missing =
            || Error::InvalidOption { option: "workers.start", found: "absent".into(), expected: "a function" };
        return requested.map_or(Ok((None, sources)), |_| Err(missing()));
    };
    let sources: Vec<_> = sources.into_iter().map(|source| source.replaced_by(shared_source)).collect();
    let pool = JsWorkerPool { start: start.clone(), requested, sources: sources.clone() };
    Ok((Some(Rc::new(pool)), sources))
}

impl WorkerPool for JsWorkerPool {
    fn max_ranks(&self) -> usize {
        hardware_concurrency() as usize
    }

    fn requested_ranks(&self) -> Option<usize> {
        self.requested
    }

    fn start(&self, config: RankConfig) -> LocalBoxFuture<'_, Result<Started>> {
        Box::pin(async move {
            if config.ranks == 1 {
                return Ok((
                    Box::new(crate::cpu::rank::SingleRank) as Box<dyn Communicator>,
                    Box::new(NoRemoteRanks) as Box<dyn RemoteRanks>,
                ));
            }
            let RankConfig { ranks, capacity, activations, trial } = config;
            let config = JsRankConfig { rank: 0, ranks, capacity, activations, trial };
            let config = serde_wasm_bindgen::to_value(&config).unwrap_or_default();
            let sources = self.sources.iter().map(|source| source.source.clone()).collect();
            // However the load ends, dropping these ends the workers.
            let remote = WebRemoteRanks(JsRemoteRanks::new(config, sources));
            let started = remote.0.start(&self.start, wasm_bindgen::module());
            JsFuture::from(started).await.map_err(worker_error)?;
            let communicator = WebCommunicator { communicator: remote.0.communicator(), lengths: Vec::new() };
            Ok((Box::new(communicator) as Box<dyn Communicator>, Box::new(remote) as Box<dyn RemoteRanks>))
        })
    }
}

/// The other ranks of a single rank.
struct NoRemoteRanks;

impl RemoteRanks for NoRemoteRanks {
    fn loaded(&mut self) -> LocalBoxFuture<'_, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn command(&mut self, _: usize, _: &Command) -> Result<()> {
        Ok(())
    }
}

struct WebRemoteRanks(JsRemoteRanks);

impl RemoteRanks for WebRemoteRanks {
    fn loaded(&mut self) -> LocalBoxFuture<'_, Result<()>> {
        Box::pin(async { JsFuture::from(self.0.loaded()).await.map(drop).map_err(worker_error) })
    }

    fn command(&mut self, rank: usize, command: &Command) -> Result<()> {
        let words = Uint32Array::from(command.to_words().as_slice());
        self.0.command(rank as u32, words).map_err(worker_error)
    }
}

impl Drop for WebRemoteRanks {
    fn drop(&mut self) {
        self.0.free();
    }
}

struct WebCommunicator {
    communicator: JsCommunicator,
    lengths: Vec<u32>,
}

impl Communicator for WebCommunicator {
    fn gather<'a>(
        &'a mut self,
        collective: Collective,
        mine: &'a [f32],
        lengths: &'a [usize],
        gathered: &'a mut [f32],
    ) -> LocalBoxFuture<'a, Result<()>> {
        self.lengths.clear();
        self.lengths.extend(lengths.iter().map(|&length| length as u32));
        let gathering = self.communicator.gather(collective == Collective::AllGather, mine, &self.lengths, gathered);
        Box::pin(async move {
            let gathering = gathering.map_err(worker_error)?;
            if gathering.is_undefined() {
                return Ok(());
            }
            let floats = JsFuture::from(Promise::from(gathering)).await.map_err(worker_error)?;
            match floats.dyn_into::<Float32Array>() {
                Ok(floats) if floats.length() as usize == gathered.len() => floats.copy_to(gathered),
                // A rank for which nothing is gathered.
                _ if gathered.is_empty() => {}
                _ => return Err(Error::Worker { rank: 0, problem: "ranks are out of step".into() }),
            }
            Ok(())
        })
    }
}

/// The error that `communicator.js` or `workers.js` has thrown.
fn worker_error(thrown: JsValue) -> Error {
    let rank = Reflect::get(&thrown, &"rank".into()).ok().and_then(|rank| rank.as_f64());
    Error::Worker { rank: rank.unwrap_or(0.0) as usize, problem: message_of(&thrown) }
}

/// Makes this worker a rank: it loads and runs its slice of the model that the worker which started it loads.
#[wasm_bindgen(js_name = serveRank)]
pub fn serve_rank() -> Result<(), JsValue> {
    let load = |config: JsValue, sources: JsValue, communicator: JsValue| {
        future_to_promise(async move {
            let config: JsRankConfig = serde_wasm_bindgen::from_value(config)?;
            let sources = argument("sources", &sources)?;
            let rank = load_rank(config, sources, communicator.unchecked_into()).await?;
            Ok(JsValue::from(rank))
        })
    };
    let load = Closure::<dyn FnMut(JsValue, JsValue, JsValue) -> Promise>::new(load).into_js_value();
    let problem = || Error::Request { problem: "serveRank is for the workers that a model starts".into() };
    if serve(load) { Ok(()) } else { Err(to_js(problem())) }
}

async fn load_rank(config: JsRankConfig, sources: Vec<PageSource>, communicator: JsCommunicator) -> Result<RankHandle> {
    let file = ModelFile::of(Gguf::open(byte_sources(sources)).await?)?;
    let file = if config.trial { trial_model(&file).await? } else { file };
    let slices = Slice::all(&file, config.ranks);
    let communicator = Box::new(WebCommunicator { communicator, lengths: Vec::new() });
    let rank = Rank::load(&file.gguf, &slices, config.rank, config.activations, communicator, &mut |_| {}).await?;
    Ok(RankHandle { rank: Exclusive::new(rank) })
}

/// A rank, which runs in a worker of its own.
#[wasm_bindgen]
pub struct RankHandle {
    rank: Exclusive<Rank>,
}

#[wasm_bindgen]
impl RankHandle {
    /// Executes a command of rank 0.
    pub async fn execute(&self, words: Vec<u32>) -> Result<(), JsValue> {
        let unknown = || Error::Request { problem: "an unknown command of rank 0".into() };
        let command = Command::from_words(&words).ok_or_else(unknown)?;
        Ok(self.rank.take()?.execute(command).await?)
    }
}
