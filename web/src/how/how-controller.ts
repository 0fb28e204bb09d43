/** Wires the page that explains to the engine, which begins only when a visitor asks for a measurement. */
import { sourceKey, type BenchReport, type DeviceOptions, type EngineWorker } from 'web-mamba';
import { toFailure, type MambaError } from '../base/failure';
import { chooseParam, type Choice } from '../models/choice';
import { relativeSpeeds, type RelativeSpeed } from './relative-speed';

/** The text of the measurement: long enough to see a line, short enough to wait for. */
const MOST_TOKENS = 2048;
const MOST_MILLISECONDS = 15_000;
const REDRAW_MILLISECONDS = 200;
const BENCH = { promptTokens: 128, genTokens: 32, runs: 3 };

export type HowStatus =
  | { kind: 'idle' }
  | { kind: 'opening' }
  | { kind: 'writing'; tokens: number; total: number; line: readonly RelativeSpeed[] }
  | { kind: 'timing'; line: readonly RelativeSpeed[] }
  | { kind: 'done'; line: readonly RelativeSpeed[]; report: BenchReport; loadSeconds: number }
  | { kind: 'failed'; failure: MambaError };

export interface HowData {
  name: string;
  /** Of the page with the model. */
  chat: string;
  status: HowStatus;
}

export interface HowView {
  update(data: HowData): void;
  on(name: 'measure', listener: () => void): void;
}

export interface HowAddress {
  readonly base: string;
  readonly model: string | null;
  readonly device: DeviceOptions;
}

type Engine = Pick<EngineWorker, 'open' | 'stored' | 'generate' | 'stop' | 'bench'>;

export class HowController {
  #engine: Engine | undefined;
  #name: string;

  constructor(private readonly page: HowView, private readonly makeEngine: () => Engine, private readonly address: HowAddress, private readonly now = () => performance.now()) {
    this.#name = chooseParam(null, address.base).name;
    page.on('measure', () => void this.#measure());
  }

  start(): void {
    this.#update({ kind: 'idle' });
  }

  async #measure(): Promise<void> {
    try {
      this.#update({ kind: 'opening' });
      const engine = (this.#engine ??= this.makeEngine());
      const choice = await this.#choice(engine);
      this.#name = choice.name;
      this.#update({ kind: 'opening' });
      let arrived = this.now();
      await engine.open(choice.source, this.address.device, ({ step }) => {
        if (step === 'receive') arrived = this.now();
      });
      const loadSeconds = (this.now() - arrived) / 1000;
      const line = await this.#line(engine);
      this.#update({ kind: 'timing', line });
      const report = await engine.bench(BENCH, () => undefined);
      this.#update({ kind: 'done', line, report, loadSeconds });
    } catch (thrown) {
      this.#update({ kind: 'failed', failure: toFailure(thrown) });
    }
  }

  /** A model that is kept here may be named; nothing is downloaded for a measurement but the demo model. */
  async #choice(engine: Engine): Promise<Choice> {
    const { model, base } = this.address;
    const demo = chooseParam(null, base);
    try {
      const named = chooseParam(model, base);
      const key = sourceKey(named.source);
      return (await engine.stored()).some(({ url, complete }) => complete && url === key) ? named : demo;
    } catch {
      return demo;
    }
  }

  async #line(engine: Engine): Promise<RelativeSpeed[]> {
    const times: number[] = [];
    const began = this.now();
    let drawn = began;
    await engine.generate('Once upon a time', { maxTokens: MOST_TOKENS, ignoreEos: true, temperature: 1 }, (event) => {
      if (event.type !== 'token') return;
      times.push(event.milliseconds);
      const now = this.now();
      if (now - began > MOST_MILLISECONDS) void engine.stop();
      if (now - drawn < REDRAW_MILLISECONDS) return;
      drawn = now;
      this.#update({ kind: 'writing', tokens: times.length, total: MOST_TOKENS, line: relativeSpeeds(times) });
    });
    return relativeSpeeds(times);
  }

  #update(status: HowStatus): void {
    this.page.update({ name: this.#name, chat: './', status });
  }
}
