/** The session's calls about states: sharing one, opening one, and what an answer needs to outlive its page and its device. */
import type { EngineModel } from '../base/wasm-engine';
import type { ChatMessage, OpenedState, OpenStateOptions, StateOptions } from '../protocol/protocol';
import { DurableCheckpoints, ownerOf } from '../state/durable-checkpoints';
import { fetchState, pack, unpack } from '../state/state-file';
import type { StateStore } from '../state/state-store';

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
    const bytes = state.bytes(options.numbers ?? 'f16');
    return options.compress === false ? new Blob([bytes as Uint8Array<ArrayBuffer>]) : await pack(bytes);
  } finally {
    state.free();
  }
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
  const limit = model.info().stateBytes + BESIDE_BYTES;
  const blob = typeof file === 'string' ? await fetchState(file, limit) : file;
  const bytes = await unpack(blob, limit);
  const state = model.readState(bytes, { name, ...(order ? { order } : {}) });
  try {
    model.addCheckpoint(state);
    const { position, messages, tokens, beginning } = state;
    // So that a conversation which began here also goes on from here when the file is gone.
    const kept = store?.put({ model: ownerOf(model.hash(), beginning), url, tokens, reading: false }, state.order ? state.bytes() : bytes);
    await kept?.catch((thrown: unknown) => console.warn('a state could not be stored', thrown));
    return { position, messages, fileBytes: blob.size, ...(beginning === undefined ? {} : { beginning }), ...(state.order ? { order: state.order } : {}) };
  } finally {
    state.free();
  }
}

function nameOf(file: Blob | string): string {
  if (typeof file === 'string') return new URL(file).pathname;
  return file instanceof File ? file.name : '';
}
