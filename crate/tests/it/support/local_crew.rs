//! Peers in threads of this process, joined by a memory that they share: a team without a browser.

use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread::JoinHandle;

use futures_util::future::{LocalBoxFuture, ready};
use pollster::block_on;
use web_mamba::Result;
use web_mamba::cpu::rank::{For, Link, Rank};
use web_mamba::cpu::team::{Command, Crew, Job, Peers, Started};
use web_mamba::error::Error;
use web_mamba::model::Slice;

use crate::support::random_model::RandomModel;

/// Makes the same model in each thread.
pub type Make = Arc<dyn Fn() -> RandomModel + Send + Sync>;

pub struct LocalCrew(pub Make);

impl fmt::Debug for LocalCrew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalCrew")
    }
}

struct Memory {
    given: Vec<Mutex<Vec<f32>>>,
    barrier: Barrier,
}

struct LocalLink {
    rank: usize,
    capacity: usize,
    memory: Arc<Memory>,
}

impl Link for LocalLink {
    fn gather<'a>(
        &'a mut self,
        whom: For,
        mine: &'a [f32],
        lengths: &'a [usize],
        mut gathered: &'a mut [f32],
    ) -> LocalBoxFuture<'a, Result<()>> {
        assert!(mine.len() <= self.capacity);
        *self.memory.given[self.rank].lock().unwrap() = mine.to_vec();
        self.memory.barrier.wait();
        assert!(self.rank == 0 || whom == For::All || lengths.is_empty());
        for (given, &length) in self.memory.given.iter().zip(lengths) {
            let (to, rest) = gathered.split_at_mut(length);
            // A rank gives as much as the others expect of it.
            to.copy_from_slice(&given.lock().unwrap());
            gathered = rest;
        }
        self.memory.barrier.wait();
        Box::pin(ready(Ok(())))
    }
}

struct LocalPeers {
    commands: Vec<Sender<Vec<u32>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Peers for LocalPeers {
    fn loaded(&mut self) -> LocalBoxFuture<'_, Result<()>> {
        Box::pin(ready(Ok(())))
    }

    fn command(&mut self, rank: usize, command: &Command) -> Result<()> {
        let gone = |_| Error::Worker { rank, problem: "it is gone".into() };
        self.commands[rank - 1].send(command.to_words()).map_err(gone)
    }
}

impl Drop for LocalPeers {
    fn drop(&mut self) {
        self.commands.clear();
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

impl Crew for LocalCrew {
    fn most(&self) -> usize {
        4
    }

    fn wanted(&self) -> Option<usize> {
        None
    }

    fn start(&self, job: Job) -> LocalBoxFuture<'_, Result<Started>> {
        let given = (0..job.ranks).map(|_| Mutex::default()).collect();
        let memory = Arc::new(Memory { given, barrier: Barrier::new(job.ranks) });
        let link = |rank| LocalLink { rank, capacity: job.capacity, memory: Arc::clone(&memory) };
        let mut peers = LocalPeers { commands: Vec::new(), threads: Vec::new() };
        for rank in 1..job.ranks {
            let (sender, receiver) = channel();
            let (make, link) = (Arc::clone(&self.0), link(rank));
            peers.commands.push(sender);
            peers.threads.push(std::thread::spawn(move || serve(&make(), job, link, &receiver)));
        }
        Box::pin(ready(Ok((Box::new(link(0)) as Box<dyn Link>, Box::new(peers) as Box<dyn Peers>))))
    }
}

fn serve(model: &RandomModel, job: Job, link: LocalLink, commands: &Receiver<Vec<u32>>) {
    let slices = Slice::all(model, job.ranks);
    let rank = link.rank;
    let mut rank =
        block_on(Rank::load(&model.gguf, &slices, rank, job.activations, Box::new(link), &mut |_| {})).unwrap();
    while let Ok(words) = commands.recv() {
        block_on(rank.obey(Command::from_words(&words).unwrap())).unwrap();
    }
}
