/** How fast each model was here at its last answers, so that a long task's time can be said before it begins, also at the next visit. */
import type { GenerateEvent } from 'web-mamba';
import type { AppDatabase } from '../data/app-database';

type End = Extract<GenerateEvent, { type: 'end' }>;

/** Tokens per second; absent while unknown. */
interface Measured {
  prefill?: number;
  decode?: number;
  /** Tokens of texts, by what they are for. */
  lengths?: Readonly<Record<string, number>>;
}

/** How much the newest length counts. */
const NEWEST = 0.3;

/** Shorter ones say little: starting costs as much as reading. */
const LEAST_PROMPT = 16;
const LEAST_ANSWER = 4;

export class SpeedEstimates {
  #measured: Readonly<Record<string, Measured>> = {};

  constructor(
    private readonly database: AppDatabase,
    /** Names the open model and where it runs. */
    private readonly model: () => string,
  ) {}

  /** What cannot be read is measured again. */
  async read(): Promise<void> {
    const kept = (await this.database.get('settings', 'speeds').catch(() => undefined)) as Record<string, Measured> | undefined;
    this.#measured = { ...kept, ...this.#measured };
  }

  /** Best effort: without a store it is measured again. */
  take({ prefilledTokens, tokens, prefillTps, decodeTps }: End): void {
    const measured = {
      ...this.#measured[this.model()],
      ...(prefilledTokens >= LEAST_PROMPT && prefillTps > 0 ? { prefill: prefillTps } : {}),
      ...(tokens >= LEAST_ANSWER && decodeTps > 0 ? { decode: decodeTps } : {}),
    };
    this.#keep(measured);
  }

  /** Tokens that texts of a kind usually have; undefined while unknown. */
  usualLength(kind: string): number | undefined {
    return this.#measured[this.model()]?.lengths?.[kind];
  }

  takeLength(kind: string, tokens: number): void {
    const before = this.usualLength(kind);
    const length = before === undefined ? tokens : before + NEWEST * (tokens - before);
    const measured = this.#measured[this.model()];
    this.#keep({ ...measured, lengths: { ...measured?.lengths, [kind]: length } });
  }

  #keep(measured: Measured): void {
    this.#measured = { ...this.#measured, [this.model()]: measured };
    const kept = this.#measured;
    this.database.put('settings', kept, 'speeds').catch((thrown: unknown) => console.warn('the speeds could not be kept', thrown));
  }

  /** Tokens per second that a model of the catalogue had on a backend; undefined where it has answered nothing there. `key`: its key in the store. */
  decodeRate(key: string, backend: string): number | undefined {
    return this.#measured[`${key} ${backend}`]?.decode;
  }

  /** Seconds; undefined while a speed that counts is unknown. */
  estimate(read: number, written: number): number | undefined {
    const { prefill, decode } = this.#measured[this.model()] ?? {};
    const [reading, writing] = [read === 0 ? 0 : prefill && read / prefill, written === 0 ? 0 : decode && written / decode];
    return reading === undefined || writing === undefined ? undefined : reading + writing;
  }
}
