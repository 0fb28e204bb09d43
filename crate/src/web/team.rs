//! Workers that share a model: how a page's [`Crew`] starts them, and what runs in each.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use js_sys::{Float32Array, Function, Promise, Reflect, Uint32Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};

use super::arguments::{FromJs, Misfit, argument, told};
use super::slot::Slot;
use super::source::{JsByteSource, PageSource, byte_sources};
use super::to_js;
use crate::cpu::calibrate::trial_model;
use crate::cpu::rank::{For, Link, Rank};
use crate::cpu::team::{Command, Crew, Job, Peers, Started};
use crate::error::{Error, Result};
use crate::executor::Activations;
use crate::gguf::Gguf;
use crate::model::{ModelFile, Slice};

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

#[wasm_bindgen(module = "/src/web/peers.js")]
extern "C" {
    /// A source whose rows several ranks read: rows that more than one of them wants are read once.
    #[wasm_bindgen(js_name = sharedSource)]
    fn shared_source(source: &JsByteSource, name: &str, length: f64) -> JsByteSource;

    /// Threads that run at once here.
    #[wasm_bindgen(js_name = hardwareConcurrency)]
    fn hardware_concurrency() -> u32;

    /// False where this is no worker.
    #[wasm_bindgen(js_name = servePeer)]
    fn serve(load: JsValue) -> bool;

    #[wasm_bindgen(js_name = Peers)]
    type JsPeers;
    #[wasm_bindgen(constructor, js_class = "Peers")]
    fn new(job: JsValue, sources: Vec<JsByteSource>) -> JsPeers;
    #[wasm_bindgen(method)]
    fn start(this: &JsPeers, start: &Function, module: JsValue) -> Promise;
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
    sources: Vec<PageSource>,
}

/// How many workers a page wants.
pub struct Count(pub usize);

impl FromJs for Count {
    const EXPECTED: &'static str = "a whole number from 1 to 4294967295";

    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        let count = usize::from_js(value).ok().filter(|&count| count > 0);
        count.map(Self).ok_or_else(|| Misfit::of::<Self>(value))
    }
}

/// Workers for a load, and the sources that it and they are to read.
///
/// # Errors
/// [`Error::InvalidOption`] where there is a number of workers and nothing that starts them.
pub fn crew(
    start: Option<&Function>,
    wanted: Option<usize>,
    sources: Vec<PageSource>,
) -> Result<(Option<Rc<dyn Crew>>, Vec<PageSource>)> {
    let Some(start) = start else {
        let missing =
            || Error::InvalidOption { option: "workers.start", found: "absent".into(), expected: "a function" };
        return wanted.map_or(Ok((None, sources)), |_| Err(missing()));
    };
    let sources: Vec<_> = sources.into_iter().map(|source| source.replaced_by(shared_source)).collect();
    let crew = JsCrew { start: start.clone(), wanted, sources: sources.clone() };
    Ok((Some(Rc::new(crew)), sources))
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
            let sources = self.sources.iter().map(|source| source.source.clone()).collect();
            // Whatever ends the load lets them go.
            let peers = WebPeers(JsPeers::new(job, sources));
            let started = peers.0.start(&self.start, wasm_bindgen::module());
            JsFuture::from(started).await.map_err(worker_error)?;
            let link = JsLink { link: peers.0.link(), lengths: Vec::new() };
            Ok((Box::new(link) as Box<dyn Link>, Box::new(peers) as Box<dyn Peers>))
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
    Error::Worker { rank: rank.unwrap_or(0.0) as usize, problem: told(&thrown) }
}

/// Makes this worker a peer: it loads and runs its slice of whatever model the worker that started it loads.
#[wasm_bindgen(js_name = servePeer)]
pub fn serve_peer() -> Result<(), JsValue> {
    let load = |job: JsValue, sources: JsValue, link: JsValue| {
        future_to_promise(async move {
            let job: JsJob = serde_wasm_bindgen::from_value(job)?;
            let sources = argument("sources", &sources)?;
            let peer = load_peer(job, sources, link.unchecked_into()).await?;
            Ok(JsValue::from(peer))
        })
    };
    let load = Closure::<dyn FnMut(JsValue, JsValue, JsValue) -> Promise>::new(load).into_js_value();
    let problem = || Error::Request { problem: "servePeer is for the workers that a model starts".into() };
    if serve(load) { Ok(()) } else { Err(to_js(problem())) }
}

async fn load_peer(job: JsJob, sources: Vec<PageSource>, link: SharedLink) -> Result<Peer> {
    let file = ModelFile::of(Gguf::open(byte_sources(sources)).await?)?;
    let file = if job.trial { trial_model(&file).await? } else { file };
    let slices = Slice::all(&file, job.ranks);
    let link = Box::new(JsLink { link, lengths: Vec::new() });
    let rank = Rank::load(&file.gguf, &slices, job.rank, job.activations, link, &mut |_| {}).await?;
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
        let command = Command::from_words(&words).ok_or_else(unknown)?;
        Ok(self.rank.take()?.obey(command).await?)
    }
}
