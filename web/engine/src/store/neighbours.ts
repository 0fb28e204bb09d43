/** Tabs of one browser agree on who downloads: one holds the model's lock, the others show its progress and take over when it goes. */
import { failure, type MambaError } from '../base/failure.ts';
import { DATABASE_NAME } from './database.ts';
import type { Progress } from './download-job.ts';
import { readMessage, type Ending, type Message } from './neighbour-message.ts';

/**
 * Locks and messages are named after the database. Pages of two paths of an origin, and pages of two versions, share it, and with it
 * the models that are kept: they have to share its locks too, or one would write what another deletes.
 */
const NAME = `${DATABASE_NAME} weights`;

/** Other tabs need no more than this often. */
const TELL_MILLISECONDS = 250;
/** A tab that holds a model and says nothing for so long is asleep, or busy with something that it does not tell of. */
const SILENCE_MILLISECONDS = 10_000;

export function endingFailure(how: Ending): MambaError {
  return failure(how === 'paused' ? 'paused' : 'discarded');
}

function endingOf(reason: unknown): Ending | undefined {
  const code = (reason as { code?: string } | undefined)?.code;
  return code === 'paused' || code === 'discarded' ? code : undefined;
}

export interface Progressive {
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
  /** Another tab downloads: its progress, until this one takes over. */
  onElsewhere: (progress: Progress) => void;
}

export async function exclusively<T>(
  url: string,
  { signal, onProgress, onElsewhere }: Progressive,
  work: (signal: AbortSignal, onProgress: (progress: Progress) => void) => Promise<T>,
): Promise<T> {
  const locks = globalThis.navigator?.locks;
  if (!locks || typeof BroadcastChannel === 'undefined') return work(signal, onProgress);
  const channel = new BroadcastChannel(NAME);
  const control = new AbortController();
  const abort = () => control.abort(signal.reason);
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  const say = (message: Message) => channel.postMessage(message);
  let holding = false;
  let last: Progress = { done: 0, total: 0 };
  const silence = new Silence(() => onElsewhere({ ...last, silent: true }));
  channel.onmessage = (event) => {
    const data = readMessage(event.data);
    if (data?.url !== url) return;
    if (data.type === 'progress' && !holding) {
      silence.begin();
      onElsewhere((last = data.progress));
    }
    if (data.type === 'end' && holding) control.abort(endingFailure(data.how));
    if (data.type === 'ended' && !holding) control.abort(endingFailure(data.how));
  };
  try {
    return (await locks.request(lockName(url), { signal: control.signal }, async () => {
      holding = true;
      silence.end();
      let reported = -Infinity;
      return work(control.signal, (progress) => {
        onProgress(progress);
        const now = performance.now();
        if (now - reported < TELL_MILLISECONDS) return;
        reported = now;
        say({ type: 'progress', url, progress });
      });
    })) as T;
  } finally {
    silence.end();
    const how = endingOf(control.signal.reason);
    // A pause that was pressed here is one for the tab that downloads.
    if (how) say({ type: holding ? 'ended' : 'end', url, how });
    signal.removeEventListener('abort', abort);
    // A message posted just before the close is still delivered.
    channel.close();
  }
}

/** Runs `work` unless another tab downloads, verifies or loads the model. */
export async function undisturbed<T>(url: string, work: () => Promise<T>): Promise<T> {
  const locks = globalThis.navigator?.locks;
  if (!locks) return work();
  return (await locks.request(lockName(url), { ifAvailable: true }, async (lock) => {
    if (!lock) throw failure('in-use');
    return work();
  })) as T;
}

/** Runs `work`, a load, beside other loads but never beside a deletion or a download; `onSilence` says that one of these takes long. */
export async function reading<T>(url: string, signal: AbortSignal, onSilence: () => void, work: () => Promise<T>): Promise<T> {
  const locks = globalThis.navigator?.locks;
  if (!locks) return work();
  const silence = new Silence(onSilence);
  try {
    return (await locks.request(lockName(url), { mode: 'shared', signal }, () => {
      silence.end();
      return work();
    })) as T;
  } finally {
    silence.end();
  }
}

/** Tells when nothing has been heard for long. */
class Silence {
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly tell: () => void) {
    this.begin();
  }

  begin(): void {
    this.end();
    this.#timer = setTimeout(this.tell, SILENCE_MILLISECONDS);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

function lockName(url: string): string {
  return `${NAME} ${url}`;
}
