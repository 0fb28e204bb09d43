/**
 * What a page's main thread does at a stretch, by the processor time that it takes: other work on the machine makes a task end
 * later by the clock, as `longtask` entries have it, but makes it no longer.
 */
import type { CDPSession, Page } from 'playwright-core';

/** As `longtask` entries count from. */
const LONG_MILLISECONDS = 50;

interface TraceEvent {
  name: string;
  pid: number;
  tid: number;
  args: { name?: string };
  /** Microseconds by the clock, and of the thread's own. */
  dur?: number;
  tdur?: number;
}

export interface PageTask {
  /** Milliseconds of processor time. */
  computed: number;
  /** Milliseconds by the clock. */
  passed: number;
}

export function longTasks(taken: readonly PageTask[]): number[] {
  return taken.map(({ computed }) => computed).filter((computed) => computed > LONG_MILLISECONDS);
}

export function longestTask([longest]: readonly PageTask[]): string {
  return longest ? `longest task ${Math.round(longest.computed)} ms, by the clock ${Math.round(longest.passed)} ms` : 'no task';
}

const TRACED = { includedCategories: ['toplevel'], excludedCategories: ['*'] };

export class PageTasks {
  readonly #events: TraceEvent[] = [];

  private constructor(private readonly devtools: CDPSession) {
    devtools.on('Tracing.dataCollected', ({ value }) => this.#events.push(...(value as unknown as TraceEvent[])));
  }

  /** A browser traces for one at a time: `end` before another watches. */
  static async watch(page: Page): Promise<PageTasks> {
    const tasks = new PageTasks(await page.context().newCDPSession(page));
    await tasks.#start();
    return tasks;
  }

  /** Those since the last call, the longest first. */
  async taken(): Promise<PageTask[]> {
    const complete = new Promise((resolve) => this.devtools.once('Tracing.tracingComplete', resolve));
    await this.devtools.send('Tracing.end');
    await complete;
    const events = this.#events.splice(0);
    await this.#start();
    const threads = new Set(events.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain').map(({ pid, tid }) => `${pid} ${tid}`));
    const tasks = events.filter(({ name, pid, tid }) => name === 'ThreadControllerImpl::RunTask' && threads.has(`${pid} ${tid}`));
    if (tasks.length === 0) throw new Error('the browser has traced no task of the page');
    return tasks.map(({ dur = 0, tdur = dur }) => ({ computed: tdur / 1000, passed: dur / 1000 })).sort((a, b) => b.computed - a.computed);
  }

  async end(): Promise<void> {
    // A page that is closed is traced no more.
    await this.devtools.detach().catch(() => undefined);
  }

  async #start(): Promise<void> {
    await this.devtools.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: TRACED });
  }
}
