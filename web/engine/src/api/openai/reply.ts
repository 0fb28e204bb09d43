/** A choice of a conversation as it grows: thoughts, what it says, and the calls of tools in that. */
import { CallReader, type CallPiece, type ReaderOptions } from './call-reader.ts';
import { Speech } from './speech.ts';

export interface Reply {
  thoughts: string;
  answer: string;
  /** Pieces of calls. */
  calls: Exclude<CallPiece, { kind: 'text' }>[];
  /** All of what is no thought, calls as they were written. */
  written: string;
}

export class Replies {
  readonly #speech = new Speech();
  readonly #reader: CallReader | undefined;

  /** `calls` are read where there are tools. */
  constructor(calls?: ReaderOptions) {
    this.#reader = calls && new CallReader(calls);
  }

  get hasCalls(): boolean {
    return (this.#reader?.count ?? 0) > 0;
  }

  /** What a piece of text comes to, and with the last one what was waiting. */
  take(text: string, isLast: boolean): Reply[] {
    const replies = [this.#speech.take(text), ...(isLast ? [this.#speech.end()] : [])].map(({ thoughts, answer }) => this.#reply(thoughts, answer));
    const rest = isLast ? this.#split(this.#reader?.end() ?? []) : undefined;
    return rest && (rest.answer !== '' || rest.calls.length > 0) ? [...replies, { thoughts: '', written: '', ...rest }] : replies;
  }

  #reply(thoughts: string, written: string): Reply {
    return { thoughts, written, ...(this.#reader ? this.#split(this.#reader.take(written)) : { answer: written, calls: [] }) };
  }

  #split(pieces: readonly CallPiece[]): Pick<Reply, 'answer' | 'calls'> {
    return {
      answer: pieces.map((piece) => (piece.kind === 'text' ? piece.text : '')).join(''),
      calls: pieces.filter((piece) => piece.kind !== 'text'),
    };
  }
}
