/** Writes one answer into its message as its events come, and times it. */
import type { GenerateEvent, KnownEvent, StopReason } from 'web-mamba';
import type { AnswerStats, AssistantMessage } from '../data/conversation-record';
import { AnswerClock, type TokenTime } from './answer-clock';

/** The plot shows no more tokens than this. */
const MOST_TIMES = 4096;

export class AnswerWriter {
  /** Of the tokens that came last. */
  readonly times: TokenTime[] = [];
  readonly #clock = new AnswerClock();
  #stop: StopReason = 'cancelled';

  constructor(private readonly answer: AssistantMessage) {
    // One that is carried on has words already.
    if (answer.text !== '') answer.state = { kind: 'streaming' };
  }

  /** The figures so far. */
  get stats(): AnswerStats {
    return this.#clock.stats();
  }

  take(event: GenerateEvent | KnownEvent): void {
    const { answer } = this;
    if (event.type === 'prefill') {
      this.#clock.prompt = event.total;
      if (answer.text === '') answer.state = { kind: 'waiting', prefill: event };
    } else if (event.type === 'token') {
      this.#clock.token();
      answer.text += event.text;
      answer.state = { kind: 'streaming' };
      this.times.push({ position: this.#clock.stats().position ?? 0, milliseconds: event.milliseconds });
      if (this.times.length > MOST_TIMES) this.times.shift();
    } else if (event.type === 'end') {
      answer.text += event.text;
      this.#stop = event.stop;
      this.#clock.prompt = event.promptTokens;
    }
  }

  /** Nothing more comes. An answer that was stopped before its first word stays waiting, and can be taken back. */
  end(): void {
    const { answer } = this;
    if (answer.state.kind === 'done' || (answer.text === '' && this.#stop === 'cancelled')) return;
    answer.state = { kind: 'done', stop: this.#stop, stats: this.#clock.stats() };
  }
}
