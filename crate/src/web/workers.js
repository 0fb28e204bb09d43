// Workers that run a model together: the side of rank 0, which starts them and serves their reads, and the side of a worker.
import { MessageCommunicator, SharedMemoryCommunicator, UNRESPONSIVE, memoryBytes, rankError } from './communicator.js';
import { described, isBytes, messageOf } from './values.js';

/** A worker that has not started within this time never will. */
const START_MILLISECONDS = 30_000;
/** Reads of whole rows that are kept for the ranks that need other columns of them. */
const KEPT_READS = 3;

/** The ranks after the first. Once started this has rank 0's `communicator`, and a promise `loaded`. */
export class RemoteRanks {
  #config;
  #sources;
  #workers = [];
  #failed;
  #rejects = [];
  /** Ends the watches over the workers. */
  #freed = new AbortController();

  constructor(config, sources) {
    this.#config = config;
    this.#sources = sources;
  }

  async start(start, module) {
    const { ranks, capacity } = this.#config;
    const begun = [];
    for (let rank = 1; rank < ranks; rank += 1) {
      const worker = start();
      if (typeof worker?.postMessage !== 'function') throw rankError(rank, 'workers.start gave no Worker');
      this.#workers.push(worker);
      begun.push(this.#receive(rank, worker, 'ready'));
      worker.postMessage({ type: 'start', module });
    }
    let timer;
    const late = new Promise((_, reject) => (timer = setTimeout(() => reject(rankError(1, 'it did not start')), START_MILLISECONDS)));
    await Promise.race([Promise.all(begun), late]).finally(() => clearTimeout(timer));
    // Only a worker may block until shared memory changes.
    const isolated = globalThis.crossOriginIsolated === true && typeof WorkerGlobalScope !== 'undefined';
    const memory = isolated ? new SharedArrayBuffer(memoryBytes(ranks, capacity)) : undefined;
    const ports = memory ? [] : mesh(ranks);
    this.communicator = memory ? new SharedMemoryCommunicator(0, ranks, capacity, memory) : new MessageCommunicator(0, ranks, ports[0]);
    const sources = this.#sources.map(({ name, length }) => ({ name, length }));
    const loaded = this.#workers.map((worker, index) => {
      const rank = index + 1;
      const mine = ports[rank] ?? [];
      worker.postMessage({ type: 'load', config: { ...this.#config, rank }, memory, ports: mine, sources }, mine.filter(Boolean));
      return this.#receive(rank, worker, 'loaded');
    });
    this.loaded = Promise.all(loaded);
    // It is awaited only when rank 0 has loaded its own slice.
    this.loaded.catch(() => undefined);
  }

  command(rank, words) {
    if (this.#failed) throw this.#failed;
    this.#workers[rank - 1].postMessage({ type: 'command', words }, [words.buffer]);
  }

  /** Ends the workers, also while they start: then `start` rejects. */
  free() {
    this.#failed ??= rankError(0, 'the load was ended');
    this.#end();
    this.communicator?.close?.();
  }

  /** Ends all workers: after a failure the ranks are out of step, and each holds its slice. */
  #end() {
    this.#freed.abort();
    this.#rejects.forEach((reject) => reject(this.#failed));
    this.#workers.forEach((worker) => worker.terminate?.());
  }

  /** Resolves at a message of this type; handles all other messages from now on. */
  #receive(rank, worker, type) {
    const received = new Promise((resolve, reject) => {
      if (this.#failed) return reject(this.#failed);
      this.#rejects.push(reject);
      worker.onerror = (event) => {
        event.preventDefault?.();
        this.#fail(rank, event.message || 'its script does not run');
      };
      worker.onmessage = ({ data }) => {
        if (data.type === type) resolve();
        else if (data.type === 'read') void this.#read(worker, data);
        else if (data.type === 'failed') this.#fail(rank, data.problem);
        else if (data.type === 'alive') this.#watch(rank, data.lock);
      };
    });
    // Where another worker fails first, nothing awaits this one.
    received.catch(() => undefined);
    return received;
  }

  /** No event reports a worker that the browser has ended, but its lock is then granted to the next request. */
  #watch(rank, lock) {
    const { signal } = this.#freed;
    // It rejects where the watch ends first.
    navigator.locks.request(lock, { signal }, () => this.#fail(rank, UNRESPONSIVE)).catch(() => undefined);
  }

  #fail(rank, problem) {
    if (this.#failed) return;
    this.#failed = rankError(rank, problem);
    this.communicator?.fail(rank, problem);
    this.#end();
  }

  async #read(worker, { id, part, offset, stride, rows, start, width }) {
    try {
      const bytes = await this.#sources[part].readColumns(offset, stride, rows, start, width);
      worker.postMessage({ type: 'bytes', id, bytes }, [bytes.buffer]);
    } catch (problem) {
      worker.postMessage({ type: 'bytes', id, problem: messageOf(problem) });
    }
  }
}

/** A port for each pair of ranks: `ports[a][b]` is rank a's, to rank b. */
function mesh(ranks) {
  const ports = Array.from({ length: ranks }, () => new Array(ranks).fill(null));
  for (let a = 0; a < ranks; a += 1) {
    for (let b = a + 1; b < ranks; b += 1) {
      const { port1, port2 } = new MessageChannel();
      ports[a][b] = port1;
      ports[b][a] = port2;
    }
  }
  return ports;
}

/** A source for several ranks. */
export function sharedSource(source, name, length) {
  return new SharedSource(source, name, length);
}

export function hardwareConcurrency() {
  return globalThis.navigator?.hardwareConcurrency ?? 1;
}

/** Ranks read different columns of the same rows at about the same time: those rows are read once. */
class SharedSource {
  #source;
  #kept = new Map();

  constructor(source, name, length) {
    this.#source = source;
    Object.assign(this, { name, length });
  }

  read(offset, length) {
    return this.#source.read(offset, length);
  }

  /** A buffer of its own, which may be transferred. */
  async readColumns(offset, stride, rows, start, width) {
    if (width === stride) return checked(await this.read(offset, stride * rows), stride * rows).slice();
    const whole = checked(await this.#rows(offset, stride * rows), stride * rows);
    const bytes = new Uint8Array(rows * width);
    for (let row = 0; row < rows; row += 1) {
      bytes.set(whole.subarray(row * stride + start, row * stride + start + width), row * width);
    }
    return bytes;
  }

  #rows(offset, length) {
    const key = `${offset} ${length}`;
    const rows = this.#kept.get(key) ?? this.read(offset, length);
    this.#kept.delete(key);
    this.#kept.set(key, rows);
    for (const old of this.#kept.keys()) {
      if (this.#kept.size <= KEPT_READS) break;
      this.#kept.delete(old);
    }
    return rows;
  }
}

/** The bytes that were read, if they are as many as requested: fewer would leave zeros among the weights. */
function checked(bytes, length) {
  if (!isBytes(bytes)) throw new Error(`read gave ${described(bytes)} and no Uint8Array`);
  if (bytes.length !== length) throw new Error(`read gave ${bytes.length} bytes`);
  return bytes;
}

/** The side of a worker: `load(config, sources, communicator)` resolves to a rank, which executes commands. */
export function serveRank(load) {
  if (typeof document !== 'undefined' || typeof postMessage !== 'function') return false;
  const reads = new Map();
  let communicator;
  let rank;
  // Commands are executed one after the other.
  let last = Promise.resolve();
  const fail = (thrown) => {
    const problem = String(thrown?.message ?? thrown);
    communicator?.fail(thrown?.rank ?? rank ?? 0, problem);
    postMessage({ type: 'failed', problem });
  };
  const next = (work) => {
    last = last.then(work).catch(fail);
  };
  let handle;
  globalThis.onmessage = ({ data }) => {
    if (data.type === 'bytes') {
      const read = reads.get(data.id);
      reads.delete(data.id);
      if (data.problem === undefined) read?.resolve(data.bytes);
      else read?.reject(new Error(data.problem));
    } else if (data.type === 'load') {
      const { config, memory, ports, sources } = data;
      rank = config.rank;
      communicator = memory ? new SharedMemoryCommunicator(rank, config.ranks, config.capacity, memory) : new MessageCommunicator(rank, config.ranks, ports);
      next(async () => {
        handle = await load(config, sources.map((source, part) => new RemoteSource(source, part, reads)), communicator);
        postMessage({ type: 'loaded' });
      });
    } else if (data.type === 'command') {
      next(() => handle.execute(data.words));
    }
  };
  holdLock();
  postMessage({ type: 'ready' });
  return true;
}

/** Takes a lock that is released only when this worker ends, however it ends. Without locks, other ranks notice its end only after a time-out. */
function holdLock() {
  if (!globalThis.navigator?.locks) return;
  const lock = `web-mamba worker ${crypto.randomUUID()}`;
  const held = navigator.locks.request(lock, () => {
    postMessage({ type: 'alive', lock });
    return new Promise(() => undefined);
  });
  // Some pages have the API and may not use it.
  held.catch(() => undefined);
}

/** A file that rank 0 reads for this worker. */
class RemoteSource {
  static #id = 0;
  #part;
  #reads;

  constructor({ name, length }, part, reads) {
    Object.assign(this, { name, length });
    this.#part = part;
    this.#reads = reads;
  }

  read(offset, length) {
    return this.readColumns(offset, length, 1, 0, length);
  }

  readColumns(offset, stride, rows, start, width) {
    const id = (RemoteSource.#id += 1);
    return new Promise((resolve, reject) => {
      this.#reads.set(id, { resolve, reject });
      postMessage({ type: 'read', id, part: this.#part, offset, stride, rows, start, width });
    });
  }
}
