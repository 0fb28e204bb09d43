/** Conversations as files: Markdown to read, JSON to keep and to bring back. An imported file is as untrusted as any other. */
import { newId, mended, type ConversationRecord, type Message } from './conversation';
import { failure } from './failure';
import { presetIds, systemText } from './presets';

const FORMAT = 'web-mamba-conversations';
const VERSION = 1;
const STOPS = ['eos', 'length', 'stop-string', 'stop-token', 'cancelled'];

/** A text that is to become a file. */
export interface TextFile {
  name: string;
  type: string;
  text: string;
}

/** The branch that is shown. */
export function markdownFile(record: ConversationRecord, messages: readonly Message[], speakers: Record<Message['role'], string>): TextFile {
  const system = systemText(record);
  const parts = [
    `# ${record.title}`,
    ...(system ? [system.split('\n').map((line) => `> ${line}`.trimEnd()).join('\n')] : []),
    ...messages.filter(({ text }) => text !== '').map(({ role, text }) => `## ${speakers[role]}\n\n${text}`),
  ];
  return { name: `${fileName(record.title)}.md`, type: 'text/markdown', text: `${parts.join('\n\n')}\n` };
}

/** Every branch of every conversation. */
export function jsonFile(records: readonly ConversationRecord[], name: string): TextFile {
  const text = JSON.stringify({ format: FORMAT, version: VERSION, conversations: records }, null, 1);
  return { name: `${fileName(name)}.json`, type: 'application/json', text };
}

/** Conversations with new ids, so that nothing that is here is written over. Throws the failure `import-file`. */
export function importedConversations(text: string): ConversationRecord[] {
  let parsed: { format?: unknown; version?: unknown; conversations?: unknown };
  try {
    parsed = JSON.parse(text) as typeof parsed;
  } catch (cause) {
    throw failure('import-file', {}, String(cause));
  }
  const { format, version, conversations } = parsed ?? {};
  if (format !== FORMAT || version !== VERSION || !Array.isArray(conversations) || conversations.length === 0) throw failure('import-file');
  return conversations.map((each, index) => {
    if (!isConversation(each)) throw failure('import-file', {}, `conversation ${index + 1}`);
    const { title, created, updated, preset, system, knowledge, messages, leaf } = each;
    return mended({ id: newId(), title, created, updated, preset, system, knowledge, messages: messages.map(onlyKnown), leaf });
  });
}

export function fileName(title: string): string {
  return title.replace(/[^\p{L}\p{N} _-]+/gu, '').trim().replace(/\s+/g, '-').slice(0, 60) || 'conversation';
}

function isConversation(value: unknown): value is ConversationRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { title, created, updated, preset, system, knowledge, messages, leaf } = value as Partial<ConversationRecord>;
  return (
    [title, system, knowledge].every((text) => typeof text === 'string') &&
    [created, updated].every((time) => Number.isFinite(time)) &&
    presetIds.includes(preset as never) &&
    Array.isArray(messages) && messages.every(isMessage) && isTree(messages) &&
    (leaf === null || messages.some(({ id }) => id === leaf))
  );
}

function isMessage(value: unknown): value is Message {
  if (typeof value !== 'object' || value === null) return false;
  const message = value as Partial<Message> & { state?: { kind?: unknown; stop?: unknown; stats?: Record<string, unknown> } };
  const plain = Number.isSafeInteger(message.id) && (message.parent === null || Number.isSafeInteger(message.parent)) && typeof message.text === 'string';
  if (!plain || message.role === 'user') return plain;
  const { kind, stop, stats } = message.state ?? {};
  const done = STOPS.includes(stop as string) && ['tokens', 'firstToken', 'rate'].every((key) => Number.isFinite(stats?.[key]));
  return message.role === 'assistant' && (kind === 'waiting' || kind === 'streaming' || kind === 'told' || (kind === 'done' && done));
}

/** Ids are unique and every parent comes before its children: there is no circle to walk in. */
function isTree(messages: readonly Message[]): boolean {
  const seen = new Set<number>();
  return messages.every(({ id, parent }) => {
    const sound = !seen.has(id) && (parent === null || seen.has(parent));
    seen.add(id);
    return sound;
  });
}

function onlyKnown(message: Message): Message {
  const { id, parent, text } = message;
  return message.role === 'user' ? { id, parent, role: 'user', text } : { id, parent, role: 'assistant', text, state: message.state };
}
