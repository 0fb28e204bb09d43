//! Workers that share a model: how a page's [`Crew`] starts them, and what runs in each.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use js_sys::{Float32Array, Function, Promise, Reflect, Uint32Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};

use super::{JsByteSource, Slot, source, to_js};
use crate::cpu::calibrate::trial_model;
use crate::cpu::rank::{For, Link, Rank};
use crate::cpu::team::{Command, Crew, Job, Peers, Started};
use crate::error::{Error, Result};
use crate::executor::Activations;
use crate::gguf::Gguf;
use crate::model::{Config, Slice, Weights};

#[wasm_bindgen(module = "/src/web/links.js")]
extern "C" {
    /// `SharedLink` or `PortLink`.
    type SharedLink;
    /// Gives a promise of what was gathered, or writes it and gives nothing.
    #[wasm_bindgen(method, catch)]
    fn gather(
        this: &SharedLink,
        for_all: bool,
        mine: &[f32],
        lengths: &[u32],
        gathered: &mut [f32],
    ) -> Result<JsValue, JsValue>;
}

#[wasm_bindgen]
extern "C" {
    /// `LoadOptions.workers`.
    pub type JsWorkers;
    #[wasm_bindgen(method, getter)]
    fn start(this: &JsWorkers) -> Function;
    #[wasm_bindgen(method, getter)]
    fn count(this: &JsWorkers) -> Option<f64>;
}

#[wasm_bindgen(module = "/src/web/peers.js")]
extern "C" {
    /// Sources whose rows several ranks read: rows that more than one of them wants are read once.
    #[wasm_bindgen(js_name = sharedSources)]
    fn shared_sources(sources: Vec<JsByteSource>) -> Vec<JsByteSource>;

    /// Threads that run at once here.
    #[wasm_bindgen(js_name = hardwareConcurrency)]
    fn hardware_concurrency() -> u32;

    #[wasm_bindgen(catch, js_name = startPeers)]
    async fn start_peers(
        start: &Function,
        module: JsValue,
        job: JsValue,
        sources: Vec<JsByteSource>,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = servePeer)]
    fn serve(load: JsValue);

    #[wasm_bindgen(js_name = Peers)]
    type JsPeers;
    #[wasm_bindgen(method, getter)]
    fn link(this: &JsPeers) -> SharedLink;
    #[wasm_bindgen(method, getter)]
    fn loaded(this: &JsPeers) -> Promise;
    #[wasm_bindgen(method, catch)]
    fn command(this: &JsPeers, rank: u32, words: Uint32Array) -> Result<(), JsValue>;
    #[wasm_bindgen(method)]
    fn free(this: &JsPeers);
}

/// [`Job`], and which rank, as messages carry them.
#[derive(Serialize, Deserialize)]
struct JsJob {
    #[serde(default)]
    rank: usize,
    ranks: usize,
    capacity: usize,
    activations: Activations,
    trial: bool,
}

/// What a page gives as `workers`.
#[derive(Debug)]
struct JsCrew {
    start: Function,
    wanted: Option<usize>,
    sources: Vec<JsByteSource>,
}

/// Workers for a load, and the sources that it and they are to read.
pub fn crew(workers: Option<JsWorkers>, sources: Vec<JsByteSource>) -> (Option<Rc<dyn Crew>>, Vec<JsByteSource>) {
    let Some(workers) = workers else { return (None, sources) };
    let sources = shared_sources(sources);
    let wanted = workers.count().map(|count| count as usize);
    let crew = JsCrew { start: workers.start(), wanted, sources: copies(&sources) };
    (Some(Rc::new(crew)), sources)
}

fn copies(sources: &[JsByteSource]) -> Vec<JsByteSource> {
    sources.iter().map(|source| JsValue::from(source).unchecked_into()).collect()
}

impl Crew for JsCrew {
    fn most(&self) -> usize {
        hardware_concurrency() as usize
    }

    fn wanted(&self) -> Option<usize> {
        self.wanted
    }

    fn start(&self, job: Job) -> LocalBoxFuture<'_, Result<Started>> {
        Box::pin(async move {
            if job.ranks == 1 {
                return Ok((Box::new(crate::cpu::rank::Alone) as Box<dyn Link>, Box::new(Nobody) as Box<dyn Peers>));
            }
            let Job { ranks, capacity, activations, trial } = job;
            let job = JsJob { rank: 0, ranks, capacity, activations, trial };
            let job = serde_wasm_bindgen::to_value(&job).unwrap_or_default();
            let peers = start_peers(&self.start, wasm_bindgen::module(), job, copies(&self.sources))
                .await
                .map_err(worker_error)?;
            let peers: JsPeers = peers.unchecked_into();
            let link = JsLink { link: peers.link(), lengths: Vec::new() };
            Ok((Box::new(link) as Box<dyn Link>, Box::new(WebPeers(peers)) as Box<dyn Peers>))
        })
    }
}

/// The peers of a rank that is alone.
struct Nobody;

impl Peers for Nobody {
    fn loaded(&mut self) -> LocalBoxFuture<'_, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn command(&mut self, _: usize, _: &Command) -> Result<()> {
        Ok(())
    }
}

struct WebPeers(JsPeers);

impl Peers for WebPeers {
    fn loaded(&mut self) -> LocalBoxFuture<'_, Result<()>> {
        Box::pin(async { JsFuture::from(self.0.loaded()).await.map(drop).map_err(worker_error) })
    }

    fn command(&mut self, rank: usize, command: &Command) -> Result<()> {
        let words = Uint32Array::from(command.to_words().as_slice());
        self.0.command(rank as u32, words).map_err(worker_error)
    }
}

impl Drop for WebPeers {
    fn drop(&mut self) {
        self.0.free();
    }
}

struct JsLink {
    link: SharedLink,
    lengths: Vec<u32>,
}

impl Link for JsLink {
    fn gather<'a>(
        &'a mut self,
        whom: For,
        mine: &'a [f32],
        lengths: &'a [usize],
        gathered: &'a mut [f32],
    ) -> LocalBoxFuture<'a, Result<()>> {
        self.lengths.clear();
        self.lengths.extend(lengths.iter().map(|&length| length as u32));
        let answer = self.link.gather(whom == For::All, mine, &self.lengths, gathered);
        Box::pin(async move {
            let answer = answer.map_err(worker_error)?;
            if answer.is_undefined() {
                return Ok(());
            }
            let floats = JsFuture::from(Promise::from(answer)).await.map_err(worker_error)?;
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

/// What `links.js` and `peers.js` throw.
fn worker_error(thrown: JsValue) -> Error {
    let rank = Reflect::get(&thrown, &"rank".into()).ok().and_then(|rank| rank.as_f64());
    Error::Worker { rank: rank.unwrap_or(0.0) as usize, problem: source::describe(thrown) }
}

/// Makes this worker a peer: it loads and runs its slice of whatever model the worker that started it loads.
#[wasm_bindgen(js_name = servePeer)]
pub fn serve_peer() {
    let load = |job: JsValue, sources: Vec<JsByteSource>, link: JsValue| {
        future_to_promise(async move {
            let job: JsJob = serde_wasm_bindgen::from_value(job)?;
            let peer = load_peer(job, sources, link.unchecked_into()).await.map_err(to_js)?;
            Ok(JsValue::from(peer))
        })
    };
    serve(Closure::<dyn FnMut(JsValue, Vec<JsByteSource>, JsValue) -> Promise>::new(load).into_js_value());
}

async fn load_peer(job: JsJob, sources: Vec<JsByteSource>, link: SharedLink) -> Result<Peer> {
    let gguf = Gguf::open(source::to_sources(sources)).await?;
    let config = Config::from_metadata(&gguf.metadata)?;
    let weights = Weights::find(&gguf, &config)?;
    let (gguf, config, weights) = match job.trial {
        true => trial_model(&config, &weights).await?,
        false => (gguf, config, weights),
    };
    let slices: Vec<_> = (0..job.ranks).map(|rank| Slice::new(&config, &weights, rank, job.ranks)).collect();
    let link = Box::new(JsLink { link, lengths: Vec::new() });
    let rank = Rank::load(&gguf, &slices, job.rank, job.activations, link, &mut |_| {}).await?;
    Ok(Peer { rank: Slot::new(rank) })
}

/// A rank in a worker of its own.
#[wasm_bindgen]
pub struct Peer {
    rank: Slot<Rank>,
}

#[wasm_bindgen]
impl Peer {
    /// Does what rank 0 says.
    pub async fn obey(&self, words: Vec<u32>) -> Result<(), JsValue> {
        let unknown = || Error::Request { problem: "an unknown command of rank 0".into() };
        let command = Command::from_words(&words).ok_or_else(unknown).map_err(to_js)?;
        let mut rank = self.rank.take().map_err(to_js)?;
        let done = rank.obey(command).await;
        self.rank.put(rank);
        done.map_err(to_js)
    }
}
