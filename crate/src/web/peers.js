// Workers that share a model: rank 0's side, which starts them and answers their reads, and theirs.
import { PortLink, SILENT, SharedLink, lost, memoryBytes } from './links.js';
import { described, isBytes, told } from './values.js';

/** A worker that has not started by then never will. */
const START_MILLISECONDS = 30_000;
/** Whole rows that are kept for the ranks that want other columns of them. */
const KEPT_READS = 3;

/** The peers of a job. Once started they have rank 0's `link`, and a promise `loaded`. */
export class Peers {
  #job;
  #sources;
  #workers = [];
  #failed;
  #rejects = [];
  /** Ends the watch over them. */
  #freed = new AbortController();

  constructor(job, sources) {
    this.#job = job;
    this.#sources = sources;
  }

  async start(start, module) {
    const { ranks, capacity } = this.#job;
    const begun = [];
    for (let rank = 1; rank < ranks; rank += 1) {
      const worker = start();
      if (typeof worker?.postMessage !== 'function') throw lost(rank, 'workers.start gave no Worker');
      this.#workers.push(worker);
      begun.push(this.#answer(rank, worker, 'ready'));
      worker.postMessage({ type: 'start', module });
    }
    let timer;
    const late = new Promise((_, reject) => (timer = setTimeout(() => reject(lost(1, 'it did not start')), START_MILLISECONDS)));
    await Promise.race([Promise.all(begun), late]).finally(() => clearTimeout(timer));
    // Only a worker may sleep for a memory to change.
    const isolated = globalThis.crossOriginIsolated === true && typeof WorkerGlobalScope !== 'undefined';
    const memory = isolated ? new SharedArrayBuffer(memoryBytes(ranks, capacity)) : undefined;
    const ports = memory ? [] : mesh(ranks);
    this.link = memory ? new SharedLink(0, ranks, capacity, memory) : new PortLink(0, ranks, ports[0]);
    const sources = this.#sources.map(({ name, length }) => ({ name, length }));
    const loaded = this.#workers.map((worker, index) => {
      const rank = index + 1;
      const mine = ports[rank] ?? [];
      worker.postMessage({ type: 'load', job: { ...this.#job, rank }, memory, ports: mine, sources }, mine.filter(Boolean));
      return this.#answer(rank, worker, 'loaded');
    });
    this.loaded = Promise.all(loaded);
    // It is awaited only once rank 0 has loaded its own slice.
    this.loaded.catch(() => undefined);
  }

  command(rank, words) {
    if (this.#failed) throw this.#failed;
    this.#workers[rank - 1].postMessage({ type: 'command', words }, [words.buffer]);
  }

  /** Also while they start: nothing waits for them any more. */
  free() {
    this.#failed ??= lost(0, 'the load was ended');
    this.#end();
    this.link?.close?.();
  }

  /** Ranks that are out of step are of no use any more, and hold a model. */
  #end() {
    this.#freed.abort();
    this.#rejects.forEach((reject) => reject(this.#failed));
    this.#workers.forEach((worker) => worker.terminate?.());
  }

  /** Resolves at a message of this type; listens to all others meanwhile and afterwards. */
  #answer(rank, worker, type) {
    const answer = new Promise((resolve, reject) => {
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
    // Where another one fails first, nobody asks for this one's failure.
    answer.catch(() => undefined);
    return answer;
  }

  /** The browser says nothing of a worker that it has ended, but gives its lock to the next who asks for it. */
  #watch(rank, lock) {
    const { signal } = this.#freed;
    // It rejects where the watch is ended first.
    navigator.locks.request(lock, { signal }, () => this.#fail(rank, SILENT)).catch(() => undefined);
  }

  #fail(rank, problem) {
    if (this.#failed) return;
    this.#failed = lost(rank, problem);
    this.link?.fail(rank, problem);
    this.#end();
  }

  async #read(worker, { id, part, offset, stride, rows, start, width }) {
    try {
      const bytes = await this.#sources[part].readColumns(offset, stride, rows, start, width);
      worker.postMessage({ type: 'bytes', id, bytes }, [bytes.buffer]);
    } catch (problem) {
      worker.postMessage({ type: 'bytes', id, problem: told(problem) });
    }
  }
}

/** `ports[a][b]` leads from rank a to rank b. */
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

/** A source whose rows several ranks read. */
export function sharedSource(source, name, length) {
  return new SharedSource(source, name, length);
}

export function hardwareConcurrency() {
  return globalThis.navigator?.hardwareConcurrency ?? 1;
}

/** Ranks want different columns of the same rows at about the same time: those rows are read once. */
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

  /** Bytes of its own, which may be handed on. */
  async readColumns(offset, stride, rows, start, width) {
    if (width === stride) return sound(await this.read(offset, stride * rows), stride * rows).slice();
    const whole = sound(await this.#rows(offset, stride * rows), stride * rows);
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

/** What was read, if it is what was asked for: a shorter answer would leave zeros among the weights. */
function sound(bytes, length) {
  if (!isBytes(bytes)) throw new Error(`read gave ${described(bytes)} and no Uint8Array`);
  if (bytes.length !== length) throw new Error(`read gave ${bytes.length} bytes`);
  return bytes;
}

/** A peer's side: `load(job, sources, link)` gives what obeys commands. */
export function servePeer(load) {
  if (typeof document !== 'undefined' || typeof postMessage !== 'function') return false;
  const reads = new Map();
  let link;
  let rank;
  // Commands are done one after the other.
  let last = Promise.resolve();
  const fail = (thrown) => {
    const problem = String(thrown?.message ?? thrown);
    link?.fail(thrown?.rank ?? rank ?? 0, problem);
    postMessage({ type: 'failed', problem });
  };
  const next = (work) => {
    last = last.then(work).catch(fail);
  };
  let obeys;
  globalThis.onmessage = ({ data }) => {
    if (data.type === 'bytes') {
      const read = reads.get(data.id);
      reads.delete(data.id);
      if (data.problem === undefined) read?.resolve(data.bytes);
      else read?.reject(new Error(data.problem));
    } else if (data.type === 'load') {
      const { job, memory, ports, sources } = data;
      rank = job.rank;
      link = memory ? new SharedLink(rank, job.ranks, job.capacity, memory) : new PortLink(rank, job.ranks, ports);
      next(async () => {
        obeys = await load(job, sources.map((source, part) => new RemoteSource(source, part, reads)), link);
        postMessage({ type: 'loaded' });
      });
    } else if (data.type === 'command') {
      next(() => obeys.obey(data.words));
    }
  };
  holdLock();
  postMessage({ type: 'ready' });
  return true;
}

/** Takes a lock that is let go only when this worker is gone, however it ended. Where there are no locks, others wait for it in vain a while. */
function holdLock() {
  if (!globalThis.navigator?.locks) return;
  const lock = `web-mamba worker ${crypto.randomUUID()}`;
  const held = navigator.locks.request(lock, () => {
    postMessage({ type: 'alive', lock });
    return new Promise(() => undefined);
  });
  // Some pages have locks and may not use them.
  held.catch(() => undefined);
}

/** A file that rank 0 reads. */
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
