/** A state as a value. */
import type { ChatMessage, TunedOrder } from '../base/wasm-engine.ts';
import type { SavedState, StateFileOptions } from '../protocol/protocol.ts';
import { checkArgument, checkedOptions, flag, oneOf, signal, wrongArgument, type Kind, type Kinds, type Optional } from './checks.ts';
import { checkedMessages } from './messages.ts';

/** Options of `ModelState.toBlob`. */
export type StateBlobOptions = Optional<{
  /** Whether the file is compressed; true by default. */
  compress: boolean;
  signal: AbortSignal;
}>;

const blobKinds: Kinds = { compress: flag, signal };
const numbersKind = oneOf('f16', 'f32');
const listKind: Kind = { fits: Array.isArray, expected: 'an array of messages with role and content' };

/** Makes a saved state into a file to share, in its turn among the calls of the model that the state is of. */
export type StateFiles = (file: Blob, options: StateFileOptions, ends: AbortSignal | undefined) => Promise<Blob>;

/**
 * All that a model remembers at one point. It does not change, needs no freeing, outlives the worker that it was saved in, and every model
 * that was loaded from the same file can go back to it.
 */
export class ModelState {
  /** Tokens that it has read. */
  readonly position: number;
  /** The conversation that these are of, where its file, or `fork`, says so; else empty. */
  readonly messages: readonly ChatMessage[];
  /** Names the tuned state that it began from, or is; undefined for zeros. */
  readonly beginning: string | undefined;
  /** The order that the numbers of a tuned state were taken in; undefined for others. */
  readonly order: TunedOrder | undefined;
  readonly #saved: SavedState;
  readonly #files: StateFiles;

  constructor(saved: SavedState, files: StateFiles) {
    [this.#saved, this.#files] = [saved, files];
    this.position = saved.position;
    this.messages = saved.messages;
    this.beginning = saved.beginning;
    this.order = saved.order;
  }

  /**
   * Another value of the same state, which shares its numbers. With `messages` it is of this conversation: its file has them, and a page
   * that opens the file shows them.
   */
  fork(messages?: readonly ChatMessage[] | null): ModelState {
    const given = messages ?? this.messages;
    checkArgument('messages', given, listKind);
    return new ModelState({ ...this.#saved, messages: checkedMessages(given, 'messages') }, this.#files);
  }

  /** As a file, which `model.state.open` reads: `f32` restores bit for bit, and `f16`, the default, takes half the bytes. */
  async toBlob(numbers?: 'f16' | 'f32' | null, options?: StateBlobOptions | null): Promise<Blob> {
    const wanted = numbers ?? 'f16';
    checkArgument('numbers', wanted, numbersKind);
    const { signal: ends, compress = true } = checkedOptions<{ compress: boolean; signal: AbortSignal }>(options, blobKinds);
    return this.#files(this.#saved.file, { numbers: wanted, compress, messages: [...this.messages] }, ends);
  }

  /** The file that a model goes back to. */
  static fileOf(state: unknown): Blob {
    if (!(state instanceof ModelState)) throw wrongArgument('state', state, 'a state of model.state');
    return state.#saved.file;
  }
}
