/** The session's calls about states: saving and sharing one, opening one, and what an answer needs to outlive its page and its device. */
import type { EngineModel, TunedOrder } from '../base/wasm-engine.ts';
import type { ChatMessage, OpenedState, OpenStateOptions, SavedState, StateFileOptions, StateOptions } from '../protocol/protocol.ts';
import { DurableCheckpoints, ownerOf } from '../state/durable-checkpoints.ts';
import { fetchState, pack, unpack } from '../state/state-file.ts';
import type { StateStore } from '../state/state-store.ts';

/** What a state file may have beside the state: a very long conversation's tokens and texts. */
const BESIDE_BYTES = 256 * 1024 * 1024;

/** The state after a conversation, ready for whatever is said next, as a file. */
export async function saveConversation(
  model: EngineModel, checkpoints: DurableCheckpoints | undefined, messages: ChatMessage[], options: StateOptions,
): Promise<Blob> {
  const tokens = model.conversationTokens(messages);
  await checkpoints?.prepare(tokens);
  // Reads what is not known yet, which is at most the last answer, and writes nothing.
  for await (const { type } of model.generateBatch([tokens], { maxTokens: 0, sequences: 1 })) if (type === 'end') break;
  const state = await model.saveState();
  try {
    state.messages = messages;
    return await fileOf(state, options);
  } finally {
    state.free();
  }
}

/** The state that the model is in, as a value. */
export async function takeState(model: EngineModel): Promise<SavedState> {
  const state = await model.saveState();
  try {
    return valueOf(state);
  } finally {
    state.free();
  }
}

/** Takes the model to a saved state. */
export async function restoreState(model: EngineModel, file: Blob): Promise<void> {
  const state = model.readState(await bytesOf(file));
  try {
    await model.restoreState(state as Parameters<EngineModel['restoreState']>[0]);
  } finally {
    state.free();
  }
}

/** A state file, or a tuned state of another program, as a value. */
export async function readState(model: EngineModel, file: Blob, { name = nameOf(file), order }: OpenStateOptions = {}): Promise<SavedState> {
  const bytes = await unpack(file, mostBytes(model));
  const state = model.readState(bytes, { name, ...(order ? { order } : {}) });
  try {
    return valueOf(state);
  } finally {
    state.free();
  }
}

/** A saved state as a file to share. */
export async function stateFile(model: EngineModel, file: Blob, { messages, ...options }: StateFileOptions): Promise<Blob> {
  const state = model.readState(await bytesOf(file));
  try {
    if (messages) state.messages = messages;
    return await fileOf(state, options);
  } finally {
    state.free();
  }
}

type EngineState = ReturnType<EngineModel['readState']>;

function valueOf(state: EngineState): SavedState {
  const { position, messages } = state;
  return { file: new Blob([state.bytes() as Uint8Array<ArrayBuffer>]), position, messages, ...originOf(state) };
}

/** What a state began from, where that was not zeros, and of a tuned one the order of its numbers. */
function originOf({ beginning, order }: EngineState): { beginning?: string; order?: TunedOrder } {
  return { ...(beginning === undefined ? {} : { beginning }), ...(order ? { order } : {}) };
}

async function fileOf(state: EngineState, { numbers = 'f16', compress = true }: Pick<StateOptions, 'numbers' | 'compress'>): Promise<Blob> {
  const bytes = state.bytes(numbers);
  return compress ? pack(bytes) : new Blob([bytes as Uint8Array<ArrayBuffer>]);
}

async function bytesOf(file: Blob): Promise<Uint8Array> {
  return new Uint8Array(await file.arrayBuffer());
}

function mostBytes(model: EngineModel): number {
  return model.info().stateBytes + BESIDE_BYTES;
}

/**
 * Takes the model to what a conversation began from: zeros, or a tuned state that was opened in this visit or an earlier one. Where that is
 * gone, a conversation goes on whose own state is kept, and the engine refuses to read one anew.
 */
export async function beginFrom(model: EngineModel, store: StateStore | undefined, beginning: string | undefined): Promise<void> {
  if (await model.beginFrom(beginning)) return;
  try {
    const bytes = await store?.beginning(ownerOf(model.hash(), beginning));
    if (!bytes) return;
    const state = model.readState(bytes);
    await model.restoreState(state as Parameters<EngineModel['restoreState']>[0]).finally(() => state.free());
  } catch (thrown) {
    console.warn('a tuned state could not be read', thrown);
  }
}

/** Makes a state file one of the checkpoints that conversations begin from, or of a tuned state what they begin from before any. */
export async function openState(
  model: EngineModel, store: StateStore | undefined, url: string, file: Blob | string, { name = nameOf(file), order }: OpenStateOptions = {},
): Promise<OpenedState> {
  const limit = mostBytes(model);
  const blob = typeof file === 'string' ? await fetchState(file, limit) : file;
  const bytes = await unpack(blob, limit);
  const state = model.readState(bytes, { name, ...(order ? { order } : {}) });
  try {
    model.addCheckpoint(state);
    const { position, messages, tokens, beginning } = state;
    // So that a conversation which began here also goes on from here when the file is gone.
    const kept = store?.put({ model: ownerOf(model.hash(), beginning), url, tokens, reading: false }, state.order ? state.bytes() : bytes);
    await kept?.catch((thrown: unknown) => console.warn('a state could not be stored', thrown));
    return { position, messages, fileBytes: blob.size, ...originOf(state) };
  } finally {
    state.free();
  }
}

function nameOf(file: Blob | string): string {
  if (typeof file === 'string') return new URL(file).pathname;
  return file instanceof File ? file.name : '';
}
