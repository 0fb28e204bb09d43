/** `monitor` of every creation: a download as events whose `loaded` is a fraction. */
import type { LoadProgress } from '../api/options.ts';
import { EventHandlers } from './event-handlers.ts';
import type { CreateMonitor, CreateMonitorCallback } from './types.ts';

/** So fine, and no finer, a fraction tells how much has come. */
const STEPS = 65_536;
const MILLISECONDS_BETWEEN = 50;

class Monitor extends EventTarget {
  readonly #handlers = new EventHandlers(this);

  get ondownloadprogress() {
    return this.#handlers.of('downloadprogress');
  }

  set ondownloadprogress(handler: unknown) {
    this.#handlers.set('downloadprogress', handler);
  }
}

export class DownloadEvents {
  readonly #monitor = new Monitor();
  #last = -1;
  #time = -Infinity;

  /** What the callback throws, a creation rejects with. */
  constructor(callback: CreateMonitorCallback | undefined) {
    callback?.(this.#monitor as unknown as CreateMonitor);
  }

  progress({ phase, loaded, total }: LoadProgress): void {
    if (phase !== 'download' || total === 0) return;
    const fraction = Math.floor((loaded / total) * STEPS) / STEPS;
    if (this.#last < 0) this.#fire(0);
    if (fraction > this.#last && (fraction >= 1 || performance.now() - this.#time >= MILLISECONDS_BETWEEN)) this.#fire(Math.min(1, fraction));
  }

  /** 0 and 1 come in any case. */
  end(): void {
    if (this.#last < 0) this.#fire(0);
    if (this.#last < 1) this.#fire(1);
  }

  #fire(loaded: number): void {
    [this.#last, this.#time] = [loaded, performance.now()];
    this.#monitor.dispatchEvent(progressEvent(loaded));
  }
}

function progressEvent(loaded: number): Event {
  const fields = { loaded, total: 1, lengthComputable: true };
  if (typeof ProgressEvent === 'function') return new ProgressEvent('downloadprogress', fields);
  return Object.assign(new Event('downloadprogress'), fields);
}
