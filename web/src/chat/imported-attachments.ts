/** What a file of conversations says of documents, built anew field by field. The documents themselves are not in it. */
import type { Attachment, PartRead, Source } from '../data/conversation-record';

const MOST = 1000;
/** Ids are UUIDs, or as long. */
const MOST_ID_CHARACTERS = 64;
const MOST_TEXT_CHARACTERS = 1000;

export function attachmentsOf(value: unknown): { attachments?: Attachment[] } {
  const attachments = listed(value, ({ id, name }) => (isId(id) && isText(name) ? { id, name } : undefined));
  return attachments.length > 0 ? { attachments } : {};
}

export function readOf(value: unknown): { read?: PartRead[] } {
  if (!Array.isArray(value)) return {};
  return {
    read: listed(value, ({ documentId, start, end, whole }) =>
      isId(documentId) && isRange(start, end) ? { documentId, start, end: end as number, ...(whole === true ? { whole } : {}) } : undefined),
  };
}

export function sourcesOf(value: unknown): { sources?: Source[] } {
  if (!Array.isArray(value)) return {};
  return {
    sources: listed(value, ({ documentId, name, start, end, quote, place }) =>
      isId(documentId) && isRange(start, end) && isText(name) && isText(quote) && isText(place) ? { documentId, name, start, end: end as number, quote, place } : undefined),
  };
}

function listed<Item>(value: unknown, built: (fields: Record<string, unknown>) => Item | undefined): Item[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, MOST).flatMap((each: unknown) => (typeof each === 'object' && each !== null ? (built(each as Record<string, unknown>) ?? []) : []));
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MOST_ID_CHARACTERS;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MOST_TEXT_CHARACTERS;
}

function isRange(start: unknown, end: unknown): start is number {
  return Number.isSafeInteger(start) && Number.isSafeInteger(end) && (start as number) >= 0 && (end as number) > (start as number);
}
