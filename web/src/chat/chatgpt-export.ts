/**
 * Conversations as ChatGPT exports them: an array whose members have a `mapping`, a tree of messages with parts. What was said comes
 * over, with its branches; what only the machinery there said to itself does not. A part that is no text leaves a word in its place.
 */
import { newId } from 'web-mamba';
import { shortened } from '../base/shortened';
import type { ConversationRecord, Message } from '../data/conversation-record';
import { chatStrings } from './chat-strings';

/** As elsewhere in imported files. */
const MOST_MESSAGES = 10_000;
const MOST_TITLE_CHARACTERS = 200;
/** Marks of the private-use area, in which citations and widgets are written: `citeturn0search1`. */
const MARKED = /\ue200[^\ue201]{0,500}\ue201/g;

type Fields = Record<string, unknown>;

interface Said {
  role: Message['role'];
  text: string;
}

/** Those that hold something; conversations of another make are left out. */
export function chatGptConversations(values: readonly unknown[]): ConversationRecord[] {
  return values.flatMap((value) => conversation(fields(value)) ?? []);
}

function conversation({ title, create_time, update_time, mapping, current_node }: Fields): ConversationRecord | undefined {
  const nodes = new Map(Object.entries(fields(mapping)).map(([id, node]) => [id, fields(node)]));
  const { messages, places } = tree(nodes);
  if (messages.length === 0) return undefined;
  const shown = places.get(String(current_node)) ?? messages.at(-1)?.id ?? null;
  const created = milliseconds(create_time) ?? milliseconds(update_time) ?? 0;
  const named = typeof title === 'string' ? title.trim().slice(0, MOST_TITLE_CHARACTERS) : '';
  return {
    id: newId(), title: named || shortened(messages[0]?.text ?? ''), created, updated: Math.max(created, milliseconds(update_time) ?? created),
    preset: 'assistant', system: '', knowledge: '', messages, leaf: shown,
  };
}

/** Its messages, parents before what follows them, and for each node the message that stands there or the last one before it. */
function tree(nodes: ReadonlyMap<string, Fields>): { messages: Message[]; places: Map<string, number | null> } {
  const messages: Message[] = [];
  const places = new Map<string, number | null>();
  const roots = [...nodes].filter(([, { parent }]) => typeof parent !== 'string' || !nodes.has(parent)).map(([id]) => id);
  const open: { id: string; above: number | null }[] = roots.reverse().map((id) => ({ id, above: null }));
  for (let next = open.pop(); next; next = open.pop()) {
    const { id, above } = next;
    // A node that is its own descendant is met once.
    if (places.has(id) || messages.length >= MOST_MESSAGES) continue;
    const node = nodes.get(id) ?? {};
    const told = said(fields(node.message));
    const place = told ? add(messages, told, above) : above;
    places.set(id, place);
    const children = Array.isArray(node.children) ? node.children.filter((child): child is string => typeof child === 'string' && nodes.has(child)) : [];
    for (const child of children.reverse()) open.push({ id: child, above: place });
  }
  return { messages, places };
}

/** What the same speaker says next is more of the same message: models here know turns only. */
function add(messages: Message[], { role, text }: Said, above: number | null): number {
  const before = above === null ? undefined : messages[above - 1];
  if (before?.role === role) {
    const joined = [before.text, text].filter(Boolean).join('\n\n');
    // Where others follow it already, they follow what it said until then.
    if (messages.some(({ parent }) => parent === before.id)) return push(messages, { role, text: joined }, before.parent);
    before.text = joined;
    return before.id;
  }
  return push(messages, { role, text }, above);
}

function push(messages: Message[], { role, text }: Said, parent: number | null): number {
  const node = { id: messages.length + 1, parent, text };
  messages.push(role === 'user' ? { ...node, role } : { ...node, role, state: { kind: 'imported' } });
  return node.id;
}

/** Undefined where nothing was said to anyone: hidden messages, those of tools and to tools, instructions. */
function said({ author, content, recipient, metadata }: Fields): Said | undefined {
  const { role } = fields(author);
  if ((role !== 'user' && role !== 'assistant') || fields(metadata).is_visually_hidden_from_conversation === true) return undefined;
  if (typeof recipient === 'string' && recipient !== 'all') return undefined;
  const text = textOf(fields(content)).replace(MARKED, '').trim();
  return text === '' ? undefined : { role, text };
}

function textOf({ content_type, parts, text, language }: Fields): string {
  if (content_type === 'code' && typeof text === 'string') return `\`\`\`${typeof language === 'string' && /^\w+$/.test(language) && language !== 'unknown' ? language : ''}\n${text}\n\`\`\``;
  if (content_type !== 'text' && content_type !== 'multimodal_text') return '';
  return Array.isArray(parts) ? parts.map(part).filter(Boolean).join('\n\n') : '';
}

function part(value: unknown): string {
  if (typeof value === 'string') return value;
  const { content_type, text } = fields(value);
  if (typeof text === 'string') return text;
  if (content_type === 'image_asset_pointer') return chatStrings.pictureThere;
  return content_type === undefined ? '' : chatStrings.partThere;
}

function milliseconds(seconds: unknown): number | undefined {
  return typeof seconds === 'number' && seconds > 0 ? Math.min(Math.round(seconds * 1000), Date.now()) : undefined;
}

/** Of what is no object: none. */
function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}
