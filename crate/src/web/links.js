// How ranks give each other floats: through a memory that all see where the page is isolated, else by messages.

/** Looks at a rank's counter before sleeping: a few tens of microseconds, about as long as ranks are apart. */
const LOOKS = 3000;
/** A rank is lost after so many sleeps in which nothing came. A computer that sleeps itself uses up only one of them. */
const SLEEPS = 10;
const SLEEP_MILLISECONDS = 2000;
/**
 * Asleep, rank 0 hears nothing: neither that a worker is gone, nor a stop. Ranks are rarely apart for so long, and what is later is
 * waited for between turns of the event loop, which cost a late round a twenty-fifth more.
 */
const DEAF_MILLISECONDS = 250;
const TURN_MILLISECONDS = 10;
/** Counters lie on cache lines of their own. */
const LINE = 16;

/** What is said of a rank that is gone, or might as well be. */
export const SILENT = 'it does not answer any more';

/** What is thrown where a rank does not answer. */
export function lost(rank, problem) {
  return Object.assign(new Error(problem), { rank });
}

/** Bytes of the memory for so many ranks, each of which gives at most `capacity` floats. */
export function memoryBytes(ranks, capacity) {
  return 4 * (LINE * (ranks + 1) + 2 * ranks * capacity);
}

/**
 * Each rank writes what it gives beside the memory's counters and raises its own; the others wait for that. Rounds use two places
 * in turn: whoever writes the next but one has seen that all have finished the one before.
 */
export class SharedLink {
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
    this.#floats.set(mine, this.#place(rank));
    Atomics.store(this.#counters, LINE * rank, this.#round);
    Atomics.notify(this.#counters, LINE * rank);
    let start = 0;
    for (let other = 0; other < ranks; other += 1) {
      if (other !== rank && !this.#wait(other)) return this.#gatherInTurns(Array.from(lengths));
      if (!forAll && rank > 0) continue;
      const place = this.#place(other);
      gathered.set(this.#floats.subarray(place, place + lengths[other]), start);
      start += lengths[other];
    }
  }

  /** Lets nobody wait for a rank that has failed. */
  fail(rank, problem) {
    this.#problem = problem;
    Atomics.store(this.#counters, LINE * this.ranks, rank + 1);
    for (let each = 0; each < this.ranks; each += 1) Atomics.notify(this.#counters, LINE * each);
  }

  #place(rank) {
    return (2 * rank + (this.#round & 1)) * this.capacity;
  }

  /** False where it does not come as long as rank 0 may sleep. */
  #wait(other) {
    const index = LINE * other;
    const isFirst = this.rank === 0;
    for (let looks = 0, sleeps = 0; ; looks += 1) {
      if (this.#hasCome(other)) return true;
      this.#check();
      if (looks < LOOKS) continue;
      const seen = Atomics.load(this.#counters, index);
      if (this.#hasCome(other)) return true;
      const slept = Atomics.wait(this.#counters, index, seen, isFirst ? DEAF_MILLISECONDS : SLEEP_MILLISECONDS);
      if (slept !== 'timed-out') continue;
      if (isFirst) return false;
      sleeps += 1;
      if (sleeps >= SLEEPS) throw lost(other, SILENT);
    }
  }

  /** The same for rank 0 while the event loop turns: what everyone gave, when the last has come. */
  async #gatherInTurns(lengths) {
    const late = () => lengths.findIndex((_, other) => other !== this.rank && !this.#hasCome(other));
    for (let turns = 0; late() >= 0; turns += 1) {
      this.#check();
      if (turns * TURN_MILLISECONDS >= SLEEPS * SLEEP_MILLISECONDS) throw lost(late(), SILENT);
      await new Promise((resolve) => setTimeout(resolve, TURN_MILLISECONDS));
    }
    return joined(lengths.map((length, other) => this.#floats.subarray(this.#place(other), this.#place(other) + length)));
  }

  #hasCome(other) {
    return ((Atomics.load(this.#counters, LINE * other) - this.#round) | 0) >= 0;
  }

  #check() {
    const failed = Atomics.load(this.#counters, LINE * this.ranks);
    if (failed > 0) throw lost(failed - 1, this.#problem ?? 'it failed');
  }
}

/** Every rank has a port to each other one. */
export class PortLink {
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
        this.#look();
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
      this.#look();
    });
  }

  fail(rank, problem) {
    this.#failed = lost(rank, problem);
    this.#look();
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
    if (waiting.sleeps > SLEEPS) this.fail(late, SILENT);
  }

  #look() {
    const waiting = this.#waiting;
    if (!waiting) return;
    if (this.#failed) {
      this.#waiting = undefined;
      waiting.reject(this.#failed);
    } else if (this.#arrived.every((queue, other) => other === this.rank || queue.length > 0)) {
      this.#waiting = undefined;
      const parts = this.#arrived.map((queue, other) => (other === this.rank ? waiting.own : queue.shift()));
      waiting.resolve(waiting.wanted ? joined(parts) : undefined);
    }
  }
}

function joined(parts) {
  const all = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let start = 0;
  for (const part of parts) {
    all.set(part, start);
    start += part.length;
  }
  return all;
}
