/** `model.state`: what a model remembers, as values that can be kept, gone back to, and sent. */
import type { Prompt, Tool, TunedOrder } from '../base/wasm-engine.ts';
import type { ModelClient } from '../client/client.ts';
import type { AnswerEvent, AnswerOptions, OpenStateOptions, SavedState } from '../protocol/protocol.ts';
import { fetchState } from '../state/state-file.ts';
import { fileAddress } from '../store/model-source.ts';
import { callback, checkedOptions, flag, oneOf, signal, text, wrongArgument, type Kinds, type Optional } from './checks.ts';
import { ModelState } from './model-state.ts';
import { answerKinds, checkedCall, checkedPrompt, type CallOptions } from './options.ts';
import { NO_PAGE } from './source.ts';

/** A file of a state, or the address of one; one that is relative is so to the page's. */
export type StateSource = string | URL | Blob;

/** Options of `ModelStates.read`. */
export type ReadOptions = Optional<{
  /** Whether the prompt is read after what the model has read already. */
  resume: boolean;
  /** As with `generate`: how the answer would begin that a conversation is read up to. */
  thinking: 'auto' | 'on' | 'off' | 'skip';
  /** As with `generate`: what the model may call in its answer to a conversation. */
  tools: Tool[];
  /** Called with tokens that are read, and all of them. */
  onProgress: (progress: { done: number; total: number }) => void;
  signal: AbortSignal;
}>;

/** Options of `ModelStates.open`. */
export type OpenStateSettings = Optional<{
  /** The name of a file without one, whose ending decides the order of a tuned state's numbers. */
  name: string;
  /** That order, in place of what the name says. */
  order: TunedOrder;
  signal: AbortSignal;
}>;

type Present<Options> = { [Name in keyof Options]-?: NonNullable<Options[Name]> };

const readKinds: Kinds = { resume: flag, thinking: answerKinds.thinking, tools: answerKinds.tools, onProgress: callback, signal };
const openKinds: Kinds = { name: text, order: oneOf('value-key', 'key-value'), signal };

/** More than any model's state with the text beside it. */
const MOST_FILE_BYTES = 2 ** 31;

/** The model that is open, in the turn of a call. */
export interface Turn {
  client: ModelClient;
  generate(prompt: Prompt, options: AnswerOptions, push: (event: AnswerEvent) => void): Promise<void>;
  read(prompt: Prompt, options: AnswerOptions, push: (event: AnswerEvent) => void): Promise<SavedState>;
  takeState(): Promise<SavedState>;
  /** `beginning` is what the state began from, or is. */
  restoreState(file: Blob, beginning: string | undefined): Promise<void>;
}

/** Waits for the calls before it, and gives what `call` does; with `signal` it rejects at once, and the call ends. */
export type InTurn = <Value>(call: (turn: Turn) => Promise<Value>, ends: AbortSignal | undefined) => Promise<Value>;

/** Its calls take turns with all others of the model. */
export class ModelStates {
  readonly #inTurn: InTurn;

  constructor(inTurn: InTurn) {
    this.#inTurn = inTurn;
  }

  /** The state that the model is in: after what it has read and written last. */
  async save(options?: CallOptions | null): Promise<ModelState> {
    const { signal: ends } = checkedCall(options);
    return this.#value(await this.#inTurn((turn) => turn.takeState(), ends));
  }

  /** Reads a prompt and writes nothing. The state after it is where the model is then, and what it gives. */
  async read(prompt: Prompt, options?: ReadOptions | null): Promise<ModelState> {
    const asked = checkedPrompt(prompt);
    const { signal: ends, onProgress, ...given } = checkedOptions<Present<ReadOptions>>(options, readKinds);
    const report = (event: AnswerEvent) => {
      if (event.type === 'prefill') onProgress?.({ done: event.done, total: event.total });
    };
    return this.#value(await this.#inTurn((turn) => turn.read(asked, given, report), ends));
  }

  /** Takes the model to a state. With `resume`, `generate` and `read` go on from it bit for bit as they would have. */
  async restore(state: ModelState, options?: CallOptions | null): Promise<void> {
    const file = ModelState.fileOf(state);
    const { signal: ends } = checkedCall(options);
    return this.#inTurn((turn) => turn.restoreState(file, state.beginning), ends);
  }

  /**
   * The state of a file: one that was saved (`toBlob`, the page, the native tool), compressed or not, or one that another program has tuned
   * for this model. The model stays where it is.
   */
  async open(source: StateSource, options?: OpenStateSettings | null): Promise<ModelState> {
    const { signal: ends, ...given } = checkedOptions<Present<OpenStateSettings>>(options, openKinds);
    ends?.throwIfAborted();
    const [file, named] = await fileOf(source, given, ends);
    return this.#value(await this.#inTurn(({ client }) => client.readState(file, named), ends));
  }

  #value(saved: SavedState): ModelState {
    return new ModelState(saved, (file, options, ends) => this.#inTurn(({ client }) => client.stateFile(file, options), ends));
  }
}

/** A state file, fetched where it is an address: in this thread, where a signal can end it. */
async function fileOf(source: unknown, given: OpenStateOptions, ends: AbortSignal | undefined): Promise<[file: Blob, given: OpenStateOptions]> {
  if (source instanceof Blob) return [source, given];
  if (typeof source !== 'string' && !(source instanceof URL)) throw wrongArgument('source', source, 'an address, a Blob or a File');
  const url = fileAddress(String(source), globalThis.location?.href ?? NO_PAGE);
  return [await fetchState(url.href, MOST_FILE_BYTES, ends), { name: url.pathname, ...given }];
}
