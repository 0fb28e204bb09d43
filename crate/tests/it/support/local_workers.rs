//! Ranks in threads of this process, over memory that they share: tensor parallelism without a browser.

use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread::JoinHandle;

use futures_util::future::{LocalBoxFuture, ready};
use pollster::block_on;
use web_mamba::Result;
use web_mamba::cpu::rank::{Collective, Communicator, Rank};
use web_mamba::cpu::tensor_parallel::{Command, RankConfig, RemoteRanks, Started, WorkerPool};
use web_mamba::error::Error;
use web_mamba::model::Slice;

use crate::support::random_model::RandomModel;

/// Makes the same model in each thread.
pub type Make = Arc<dyn Fn() -> RandomModel + Send + Sync>;

pub struct LocalWorkerPool(pub Make);

impl fmt::Debug for LocalWorkerPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalWorkerPool")
    }
}

struct Memory {
    given: Vec<Mutex<Vec<f32>>>,
    barrier: Barrier,
}

struct LocalCommunicator {
    rank: usize,
    capacity: usize,
    memory: Arc<Memory>,
}

impl Communicator for LocalCommunicator {
    fn gather<'a>(
        &'a mut self,
        collective: Collective,
        mine: &'a [f32],
        lengths: &'a [usize],
        mut gathered: &'a mut [f32],
    ) -> LocalBoxFuture<'a, Result<()>> {
        assert!(mine.len() <= self.capacity);
        *self.memory.given[self.rank].lock().unwrap() = mine.to_vec();
        self.memory.barrier.wait();
        assert!(self.rank == 0 || collective == Collective::AllGather || lengths.is_empty());
        for (given, &length) in self.memory.given.iter().zip(lengths) {
            let (to, rest) = gathered.split_at_mut(length);
            // A rank contributes as much as the others expect.
            to.copy_from_slice(&given.lock().unwrap());
            gathered = rest;
        }
        self.memory.barrier.wait();
        Box::pin(ready(Ok(())))
    }
}

struct LocalRanks {
    commands: Vec<Sender<Vec<u32>>>,
    threads: Vec<JoinHandle<()>>,
}

impl RemoteRanks for LocalRanks {
    fn loaded(&mut self) -> LocalBoxFuture<'_, Result<()>> {
        Box::pin(ready(Ok(())))
    }

    fn command(&mut self, rank: usize, command: &Command) -> Result<()> {
        let gone = |_| Error::Worker { rank, problem: "it is gone".into() };
        self.commands[rank - 1].send(command.to_words()).map_err(gone)
    }
}

impl Drop for LocalRanks {
    fn drop(&mut self) {
        self.commands.clear();
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

impl WorkerPool for LocalWorkerPool {
    fn max_ranks(&self) -> usize {
        4
    }

    fn requested_ranks(&self) -> Option<usize> {
        None
    }

    fn start(&self, config: RankConfig) -> LocalBoxFuture<'_, Result<Started>> {
        let given = (0..config.ranks).map(|_| Mutex::default()).collect();
        let memory = Arc::new(Memory { given, barrier: Barrier::new(config.ranks) });
        let communicator = |rank| LocalCommunicator { rank, capacity: config.capacity, memory: Arc::clone(&memory) };
        let mut remote = LocalRanks { commands: Vec::new(), threads: Vec::new() };
        for rank in 1..config.ranks {
            let (sender, receiver) = channel();
            let (make, communicator) = (Arc::clone(&self.0), communicator(rank));
            remote.commands.push(sender);
            remote.threads.push(std::thread::spawn(move || serve(&make(), config, communicator, &receiver)));
        }
        Box::pin(ready(Ok((
            Box::new(communicator(0)) as Box<dyn Communicator>,
            Box::new(remote) as Box<dyn RemoteRanks>,
        ))))
    }
}

fn serve(model: &RandomModel, config: RankConfig, communicator: LocalCommunicator, commands: &Receiver<Vec<u32>>) {
    let slices = Slice::all(model, config.ranks);
    let rank = communicator.rank;
    let mut rank =
        block_on(Rank::load(&model.gguf, &slices, rank, config.activations, Box::new(communicator), &mut |_| {}))
            .unwrap();
    while let Ok(words) = commands.recv() {
        block_on(rank.execute(Command::from_words(&words).unwrap())).unwrap();
    }
}
