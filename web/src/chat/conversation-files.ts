/** Conversations as files: Markdown to read, JSON to keep and to bring back. An imported file is as untrusted as any other. */
import { newId, splitThoughts } from 'web-mamba';
import { failure, MambaError } from '../base/failure';
import type { TextFile } from '../base/files';
import { formatBytes } from '../base/format';
import { EARLIER_IMPORTED, type AnswerStats, type ConversationRecord, type Message, type MessageState } from '../data/conversation-record';
import { mended } from './conversation';
import { attachmentsOf, readOf, sourcesOf } from './imported-attachments';
import { presetIds, systemText } from './presets';
import { isZip, zippedConversations } from './zipped-conversations';

const FORMAT = 'web-mamba-conversations';
const VERSION = 1;
const STOPS = ['eos', 'length', 'stop-string', 'stop-token', 'cancelled'] as const;
/** More than years of talking; what is larger would make the page slow, or is no file of conversations. */
const MOST_BYTES = 256 * 1024 ** 2;
const MOST_CONVERSATIONS = 20_000;
const MOST_MESSAGES = 10_000;
const MOST_TITLE_CHARACTERS = 200;

/** The branch that is shown, without what the model thought before it answered. */
export function markdownFile(record: ConversationRecord, messages: readonly Message[], speakers: Record<Message['role'], string>): TextFile {
  const system = systemText(record);
  const parts = [
    `# ${record.title}`,
    ...(system ? [system.split('\n').map((line) => `> ${line}`.trimEnd()).join('\n')] : []),
    ...messages.map(({ role, text }) => ({ role, text: role === 'assistant' ? splitThoughts(text).answer : text }))
      .filter(({ text }) => text !== '').map(({ role, text }) => `## ${speakers[role]}\n\n${text}`),
  ];
  return { name: `${fileName(record.title)}.md`, type: 'text/markdown', text: `${parts.join('\n\n')}\n` };
}

/** Every branch of every conversation. */
export function jsonFile(records: readonly ConversationRecord[], name: string): TextFile {
  const text = JSON.stringify({ format: FORMAT, version: VERSION, conversations: records }, null, 1);
  return { name: `${fileName(name)}.json`, type: 'application/json', text };
}

/** Of a file of ours, or ChatGPT's: its zip, or what is in it. Throws the failures `import-large` and `import-file`. */
export async function readConversations(file: Blob): Promise<ConversationRecord[]> {
  if (await isZip(file)) {
    const texts = await zippedConversations(file, MOST_BYTES, tooLarge).catch((thrown: unknown) => {
      throw thrown instanceof MambaError ? thrown : failure('import-file', {}, String(thrown));
    });
    if (texts.length === 0) throw failure('import-file');
    return limited((await Promise.all(texts.map(fromText))).flat());
  }
  if (file.size > MOST_BYTES) throw tooLarge();
  return fromText(await file.text());
}

/** ChatGPT's are an array, ours are not. */
async function fromText(text: string): Promise<ConversationRecord[]> {
  if (!/^\ufeff?\s*\[/.test(text)) return importedConversations(text);
  const { chatGptConversations } = await import('./chatgpt-export');
  const records = chatGptConversations(limited(parsed(text.replace(/^\ufeff/, '')) as unknown[]));
  if (records.length === 0) throw failure('import-file');
  return records;
}

function limited<T>(records: T[]): T[] {
  if (records.length > MOST_CONVERSATIONS) throw tooLarge();
  return records;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw failure('import-file', {}, String(cause));
  }
}

/**
 * Conversations built anew, field by field, with new ids: nothing that is here is written over, and nothing comes in that the page
 * does not know.
 */
export function importedConversations(text: string): ConversationRecord[] {
  const { format, version, conversations } = fields(parsed(text));
  if (format !== FORMAT || version !== VERSION || !Array.isArray(conversations) || conversations.length === 0) throw failure('import-file');
  return limited(conversations).map((each, index) => {
    const record = conversation(each);
    if (!record) throw failure('import-file', {}, `conversation ${index + 1}`);
    return mended(record);
  });
}

export function fileName(title: string): string {
  return title.replace(/[^\p{L}\p{N} _-]+/gu, '').trim().replace(/\s+/g, '-').slice(0, 60) || 'conversation';
}

function tooLarge(): Error {
  return failure('import-large', { bytes: formatBytes(MOST_BYTES), conversations: MOST_CONVERSATIONS, messages: MOST_MESSAGES });
}

function conversation(value: unknown): ConversationRecord | undefined {
  const { title, created, updated, preset, system, knowledge, messages, leaf, beginning, attachments, pinned } = fields(value);
  const known = presetIds.find((id) => id === preset);
  const texts = typeof title === 'string' && typeof system === 'string' && typeof knowledge === 'string';
  if (!texts || !known || !isFigure(created) || !isFigure(updated) || !Array.isArray(messages)) return undefined;
  if (messages.length > MOST_MESSAGES) throw tooLarge();
  // Ids are given anew, in the order of the file: a parent that comes later is none, so that there is no circle to walk in.
  const ids = new Map<unknown, number>();
  const built: Message[] = [];
  for (const each of messages) {
    const { id, parent, role, text, state, read, sources } = fields(each);
    const above = parent === null ? null : ids.get(parent);
    const done = role === 'assistant' ? messageState(state) : undefined;
    if (!Number.isSafeInteger(id) || ids.has(id) || above === undefined || typeof text !== 'string') return undefined;
    const node = { id: ids.size + 1, parent: above, text };
    if (role === 'user') built.push({ ...node, role, ...readOf(read) });
    else if (role === 'assistant' && done) built.push({ ...node, role, state: done, ...sourcesOf(sources) });
    else return undefined;
    ids.set(id, node.id);
  }
  const end = leaf === null ? null : ids.get(leaf);
  if (end === undefined) return undefined;
  const [began, changed] = [created, updated].map((time) => Math.min(time, Date.now())) as [number, number];
  return { id: newId(), title: title.slice(0, MOST_TITLE_CHARACTERS), created: began, updated: changed, preset: known, system, knowledge, messages: built, leaf: end, ...attachmentsOf(attachments), ...(isBeginning(beginning) ? { beginning } : {}), ...(pinned === true ? { pinned } : {}) };
}

/** As the engine names tuned states. */
function isBeginning(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{32}$/.test(value);
}

function messageState(value: unknown): MessageState | undefined {
  const { kind, stop, stats } = fields(value);
  if (kind === 'waiting' || kind === 'streaming' || kind === 'imported') return { kind };
  if (kind === EARLIER_IMPORTED) return { kind: 'imported' };
  const known = STOPS.find((each) => each === stop);
  const figures = answerStats(fields(stats));
  return kind === 'done' && known && figures ? { kind, stop: known, stats: figures } : undefined;
}

function answerStats({ tokens, firstToken, rate, position }: Record<string, unknown>): AnswerStats | undefined {
  if (!isFigure(tokens) || !isFigure(firstToken) || !isFigure(rate)) return undefined;
  return { tokens, firstToken, rate, ...(isFigure(position) ? { position } : {}) };
}

function isFigure(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

/** Of what is no object: none. */
function fields(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
