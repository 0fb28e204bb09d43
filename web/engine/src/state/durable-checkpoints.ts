/** Carries the engine's checkpoints into the store, and out of it again after a reload or a crash. Best effort: a full disk ends no answer. */
import type { CheckpointInfo, EngineModel, ModelState } from '../base/wasm-engine.ts';
import type { StateStore } from './state-store.ts';

/** A prompt that adds fewer tokens than this is read again as fast as its state would be. */
const WORTH_TOKENS = 256;
/** A pause is rare, and where a model is slow enough to be paused in the middle of its reading, a few tokens are seconds. */
const WORTH_TOKENS_PAUSED = 32;

/** A database that has said nothing for so long, as after the site's data was cleared, holds up no answer, and no end of one. */
const READ_MILLISECONDS = 3000;
const WRITTEN_MILLISECONDS = 10_000;

/** Whose a checkpoint is: a model's, and that of what it began from, where that was not zeros. A text never goes on from another's. */
export function ownerOf(model: string, beginning: string | undefined): string {
  return beginning === undefined ? model : `${model} from ${beginning}`;
}

export class DurableCheckpoints {
  /** Writes one after the other; it never rejects. */
  #writing: Promise<void> = Promise.resolve();
  #busy = false;
  /** Tokens of a prompt that the store knows: up to the checkpoint written last, or to the longest that was found. What only the engine has ends with the page. */
  #position = 0;

  constructor(
    private readonly model: EngineModel,
    private readonly store: StateStore,
    private readonly url: string,
    /** Names what is read, so that its states can be forgotten with it. */
    private readonly about?: string,
  ) {}

  /** Gives the engine the longest start of a prompt that only the store knows. */
  async prepare(tokens: Uint32Array): Promise<void> {
    try {
      const known = this.model.knownTokens(tokens);
      this.#position = 0;
      const found = this.store.longest(this.#owner(), tokens, 0).then(async (record) => {
        if (!record || record.length > known) return record && { record, bytes: await this.store.state(record) };
        this.#position = record.length;
        return undefined;
      });
      const { record, bytes } = (await within(READ_MILLISECONDS, found)) ?? {};
      if (!record || !bytes) return;
      try {
        const state = this.model.readState(bytes);
        this.model.addCheckpoint(state);
        this.#position = state.position;
        state.free();
      } catch (thrown) {
        // Damaged on the disk: it is of no use to anybody.
        await this.store.remove(record);
        throw thrown;
      }
    } catch (thrown) {
      console.warn('a checkpoint could not be read', thrown);
    }
  }

  /** Whether so many new tokens of a prompt are more than its state is. */
  isWorthReading(tokens: number): boolean {
    return tokens >= WORTH_TOKENS;
  }

  /** Takes what the engine has kept since the last call. To be called between two events, as all that follows. */
  collect(): void {
    for (const info of this.model.newCheckpoints()) {
      if (this.#isWorthKeeping(info)) this.#write(info);
    }
  }

  /** Takes the state as it is, where reading a prompt is paused: it goes on from there, also in another visit. */
  async keepNow(): Promise<void> {
    try {
      const state = await this.model.saveState();
      if (state.position - this.#position >= WORTH_TOKENS_PAUSED) {
        this.#put(state, true);
      }
      state.free();
    } catch (thrown) {
      console.warn('the state of a pause could not be kept', thrown);
    }
    await this.settle();
  }

  /** The answer to a prompt is kept elsewhere: its states make room. */
  forget(tokens: Uint32Array): void {
    const owner = this.#owner();
    this.#writing = this.#writing
      .then(() => this.store.forgetPrompt(owner, tokens))
      .catch((thrown: unknown) => console.warn('a checkpoint could not be forgotten', thrown));
  }

  /** Resolves when everything collected is in the store. */
  async settle(): Promise<void> {
    await within(WRITTEN_MILLISECONDS, this.#writing);
  }

  #owner(): string {
    return ownerOf(this.model.hash(), this.model.beginning());
  }

  /** In the middle of a prompt, a disk that is still busy with the last checkpoint waits for the next. */
  #isWorthKeeping({ kind, position }: CheckpointInfo): boolean {
    if (kind === 'prefill') return !this.#busy;
    return kind === 'completion' || kind === 'shared' || this.isWorthReading(position - this.#position);
  }

  #write({ id, kind }: CheckpointInfo): void {
    const state = this.model.checkpoint(id);
    if (!state) return;
    this.#put(state, kind === 'prefill');
    state.free();
  }

  #put(state: ModelState, reading: boolean): void {
    const { tokens, position, beginning } = state;
    const bytes = state.bytes();
    this.#position = position;
    this.#busy = true;
    // Asked now: while the engine makes the next event, it answers nothing else.
    const record = { model: ownerOf(this.model.hash(), beginning), url: this.url, tokens, reading, ...(this.about === undefined ? {} : { about: this.about }) };
    this.#writing = this.#writing
      .then(() => this.store.put(record, bytes))
      .catch((thrown: unknown) => console.warn('a checkpoint could not be stored', thrown))
      .finally(() => (this.#busy = false));
  }
}

/** What it gives, or undefined where it takes longer; it goes on all the same. */
async function within<T>(milliseconds: number, work: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), milliseconds)));
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
