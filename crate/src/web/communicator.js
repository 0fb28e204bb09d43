// Collective operations between the ranks: through shared memory where the page is isolated, else by messages.

/** Polls of a rank's counter before a thread sleeps: a few tens of microseconds, the usual time between two ranks' arrivals. */
const SPINS = 3000;
/** A rank is lost after this many sleeps in which nothing arrived. A computer that is suspended uses up only one of them. */
const MAX_SLEEPS = 10;
const SLEEP_MILLISECONDS = 2000;
/**
 * While rank 0 blocks it receives no event, neither the loss of a worker nor a stop. Ranks are rarely apart for this long; after it,
 * rank 0 polls between turns of the event loop, which makes a late round 4 % longer.
 */
const BLOCK_MILLISECONDS = 250;
const TURN_MILLISECONDS = 10;
/** Each counter has a cache line of its own: 16 numbers of 4 bytes. */
const LINE = 16;

/** The problem of a rank that is gone or does not respond. */
export const UNRESPONSIVE = 'it does not answer any more';

/** The error of a rank. */
export function rankError(rank, problem) {
  return Object.assign(new Error(problem), { rank });
}

/** Bytes of shared memory for `ranks` ranks, each of which contributes at most `capacity` floats. */
export function memoryBytes(ranks, capacity) {
  return 4 * (LINE * (ranks + 1) + 2 * ranks * capacity);
}

/**
 * Each rank writes its contribution to the memory and raises its own counter; the others wait for that. Rounds alternate between two
 * buffers: a rank that writes to a buffer again has seen that all ranks have finished the round in between.
 */
export class SharedMemoryCommunicator {
  #counters;
  #floats;
  #problem;
  #round = 0;

  constructor(rank, ranks, capacity, memory) {
    Object.assign(this, { rank, ranks, capacity });
    this.#counters = new Int32Array(memory, 0, LINE * (ranks + 1));
    this.#floats = new Float32Array(memory, 4 * LINE * (ranks + 1));
  }

  gather(forAll, mine, lengths, gathered) {
    const { rank, ranks } = this;
    this.#round = (this.#round + 1) | 0;
    this.#floats.set(mine, this.#offset(rank));
    Atomics.store(this.#counters, LINE * rank, this.#round);
    Atomics.notify(this.#counters, LINE * rank);
    let start = 0;
    for (let other = 0; other < ranks; other += 1) {
      if (other !== rank && !this.#wait(other)) return this.#gatherAsync(Array.from(lengths));
      if (!forAll && rank > 0) continue;
      const offset = this.#offset(other);
      gathered.set(this.#floats.subarray(offset, offset + lengths[other]), start);
      start += lengths[other];
    }
  }

  /** Ends the waiting of all ranks for one that has failed. */
  fail(rank, problem) {
    this.#problem = problem;
    Atomics.store(this.#counters, LINE * this.ranks, rank + 1);
    for (let each = 0; each < this.ranks; each += 1) Atomics.notify(this.#counters, LINE * each);
  }

  #offset(rank) {
    return (2 * rank + (this.#round & 1)) * this.capacity;
  }

  /** False where the rank has not arrived within the time for which rank 0 may block. */
  #wait(other) {
    const index = LINE * other;
    const isFirst = this.rank === 0;
    for (let spins = 0, sleeps = 0; ; spins += 1) {
      if (this.#hasArrived(other)) return true;
      this.#check();
      if (spins < SPINS) continue;
      const seen = Atomics.load(this.#counters, index);
      if (this.#hasArrived(other)) return true;
      const slept = Atomics.wait(this.#counters, index, seen, isFirst ? BLOCK_MILLISECONDS : SLEEP_MILLISECONDS);
      if (slept !== 'timed-out') continue;
      if (isFirst) return false;
      sleeps += 1;
      if (sleeps >= MAX_SLEEPS) throw rankError(other, UNRESPONSIVE);
    }
  }

  /** The same for rank 0 between turns of the event loop: resolves to the contributions of all ranks when the last has arrived. */
  async #gatherAsync(lengths) {
    const late = () => lengths.findIndex((_, other) => other !== this.rank && !this.#hasArrived(other));
    for (let turns = 0; late() >= 0; turns += 1) {
      this.#check();
      if (turns * TURN_MILLISECONDS >= MAX_SLEEPS * SLEEP_MILLISECONDS) throw rankError(late(), UNRESPONSIVE);
      await new Promise((resolve) => setTimeout(resolve, TURN_MILLISECONDS));
    }
    return concatenated(lengths.map((length, other) => this.#floats.subarray(this.#offset(other), this.#offset(other) + length)));
  }

  #hasArrived(other) {
    return ((Atomics.load(this.#counters, LINE * other) - this.#round) | 0) >= 0;
  }

  #check() {
    const failed = Atomics.load(this.#counters, LINE * this.ranks);
    if (failed > 0) throw rankError(failed - 1, this.#problem ?? 'it failed');
  }
}

/** Every rank has a port to each other one. */
export class MessageCommunicator {
  #ports;
  #arrived;
  #waiting;
  #failed;
  #watch;

  constructor(rank, ranks, ports) {
    Object.assign(this, { rank, ranks });
    this.#ports = ports;
    this.#arrived = ports.map(() => []);
    ports.forEach((port, other) => {
      if (!port) return;
      port.onmessage = ({ data }) => {
        this.#arrived[other].push(data);
        this.#settle();
      };
    });
  }

  gather(forAll, mine, lengths) {
    const { rank, ranks } = this;
    const nothing = new Float32Array(0);
    const own = forAll || rank === 0 ? mine.slice() : nothing;
    for (let other = 0; other < ranks; other += 1) {
      if (other === rank) continue;
      const floats = forAll || other === 0 ? mine.slice() : nothing;
      this.#ports[other].postMessage(floats, floats === nothing ? [] : [floats.buffer]);
    }
    // One timer for all rounds: there are thousands a second.
    this.#watch ??= setInterval(() => this.#sleep(), SLEEP_MILLISECONDS);
    return new Promise((resolve, reject) => {
      this.#waiting = { own, wanted: forAll || rank === 0, resolve, reject, sleeps: 0 };
      this.#settle();
    });
  }

  fail(rank, problem) {
    this.#failed = rankError(rank, problem);
    this.#settle();
  }

  close() {
    clearInterval(this.#watch);
    this.#ports.forEach((port) => port?.close());
  }

  #sleep() {
    const waiting = this.#waiting;
    if (!waiting) return;
    waiting.sleeps += 1;
    const late = this.#arrived.findIndex((queue, other) => other !== this.rank && queue.length === 0);
    if (waiting.sleeps > MAX_SLEEPS) this.fail(late, UNRESPONSIVE);
  }

  #settle() {
    const waiting = this.#waiting;
    if (!waiting) return;
    if (this.#failed) {
      this.#waiting = undefined;
      waiting.reject(this.#failed);
    } else if (this.#arrived.every((queue, other) => other === this.rank || queue.length > 0)) {
      this.#waiting = undefined;
      const parts = this.#arrived.map((queue, other) => (other === this.rank ? waiting.own : queue.shift()));
      waiting.resolve(waiting.wanted ? concatenated(parts) : undefined);
    }
  }
}

function concatenated(parts) {
  const all = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let start = 0;
  for (const part of parts) {
    all.set(part, start);
    start += part.length;
  }
  return all;
}
