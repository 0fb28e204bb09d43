/**
 * Mutations of sound inputs for whatever reads untrusted text or bytes in the page: each ends in a value, or in a failure that has a
 * sentence, and soon. `WEB_MAMBA_FUZZ` is how many of each; the Rust readers have theirs in `tests/fuzz`.
 */
import { strToU8, zipSync } from 'fflate';
import { expect, test } from 'vitest';
import { hastyEnvironment, LIMITS } from './browser';
import type { DocumentKind } from '../src/data/document-records';
import { extract } from '../src/documents/extract/extract';
import { jsonFile, readConversations } from '../src/chat/conversation-files';
import { soundPrompts } from '../src/chat/own-prompts';
import { MarkdownText } from '../src/markdown/markdown-text';
import { outline } from '../src/markdown/outline';
import { MambaError } from '../engine/src/base/failure';
import { Fault, OtherVersion } from '../engine/src/store/fault';
import { manifestParts } from '../engine/src/store/manifest';
import { requestRange } from '../engine/src/store/range-request';
import { hostileTexts } from './hostile-texts';
import { CHAPTERS, docx, epub, html, markdown } from './make-documents';

const ROUNDS = Number(process.env.WEB_MAMBA_FUZZ ?? 200);
/** What one input may take; most take less than a millisecond. */
const MOST_MILLISECONDS = 5000;

let seed = 0;
/** A whole number below `limit`. The same sequence in every run (mulberry32). */
function below(limit: number): number {
  seed = (seed + 0x6d2b79f5) | 0;
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) % Math.max(1, limit);
}

/** One to four changes, by one way or another of those that parsers get wrong. */
function mutated(inputs: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let bytes = new Uint8Array(inputs[below(inputs.length)] as Uint8Array);
  for (let change = below(4); change >= 0; change -= 1) {
    const at = below(bytes.length + 1);
    const other = inputs[below(inputs.length)] as Uint8Array;
    const from = below(other.length + 1);
    const part = other.subarray(from, from + below(64));
    switch (below(6)) {
      case 0:
        bytes.set([below(256)], Math.min(at, Math.max(0, bytes.length - 1)));
        break;
      case 1:
        bytes.set([0x30 + below(80)], Math.min(at, Math.max(0, bytes.length - 1)));
        break;
      case 2:
        bytes = bytes.slice(0, at);
        break;
      case 3:
        bytes = joined(bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + below(64))));
        break;
      case 4:
        bytes = joined(bytes.subarray(0, at), part, bytes.subarray(at));
        break;
      default:
        bytes = joined(bytes.subarray(0, at), ...Array.from({ length: 1 + below(50) }, () => part.subarray(0, 8)), bytes.subarray(at));
    }
    if (bytes.length === 0) bytes = new Uint8Array([below(256)]);
  }
  return bytes;
}

function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const ofText = (...texts: string[]) => texts.map((text) => strToU8(text));
const asText = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Reads mutations; a failure has to be of the kinds that people are told in a sentence. */
async function survives(inputs: readonly Uint8Array[], read: (bytes: Uint8Array<ArrayBuffer>) => unknown): Promise<void> {
  seed = 1;
  const ends = new Set<string>();
  for (let round = 0; round < ROUNDS; round += 1) {
    const bytes = mutated(inputs);
    const began = performance.now();
    try {
      await read(bytes);
      ends.add('read');
    } catch (thrown) {
      if (!(thrown instanceof MambaError || thrown instanceof Fault || thrown instanceof OtherVersion)) throw new Error(`round ${round}: ${String(thrown)}`, { cause: thrown });
      ends.add(thrown instanceof MambaError ? thrown.code : thrown.constructor.name);
    }
    expect(performance.now() - began, `round ${round}`).toBeLessThan(MOST_MILLISECONDS);
  }
  // Mutations that are all refused at the door would try nothing behind it.
  expect([...ends]).toContain('read');
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
}

const LONG = { timeout: 60_000 + 40 * ROUNDS };

test('an answer in Markdown, as it grows', LONG, async () => {
  const inputs = ofText(markdown(CHAPTERS), '1. a\n   - b\n\n| a | b |\n|:-|-:|\n| `c` | $d$ |\n\n> [x]: http://y "z"\n\n```js\ncode\n```\n\n![a](b) **c** _d_ ~~e~~ \\(f\\)', ...Object.values(hostileTexts).map((text) => text.slice(0, 400)));
  await survives(inputs, (bytes) => {
    const text = asText(bytes);
    const growing = new MarkdownText();
    growing.update(text.slice(0, text.length / 2));
    const blocks = growing.update(text);
    const whole = new MarkdownText().update(text);
    expect(blocks.map(({ start }) => start)).toEqual(whole.map(({ start }) => start));
    outline(text);
  });
});

const DOCUMENTS: [kind: DocumentKind, make: () => Promise<Uint8Array>][] = [
  ['docx', () => docx(CHAPTERS.slice(0, 1))],
  ['epub', () => epub(CHAPTERS.slice(0, 2))],
  ['html', async () => strToU8(html(CHAPTERS.slice(0, 2)))],
  ['rtf', async () => strToU8('{\\rtf1\\ansi\\ansicpg1252{\\fonttbl\\f0 Times;}{\\*\\generator x}\\f0\\b Bold\\b0\\par \\u233 ?\\\'e9\\bin3 abc\\trowd\\cell a\\cell\\row {\\field{\\*\\fldinst x}{\\fldrslt y}}}')],
  ['markdown', async () => strToU8(markdown(CHAPTERS.slice(0, 2)))],
  ['text', async () => strToU8('Ein Text.\n\nNoch einer, äöü.')],
];

test.each(DOCUMENTS)('a document, as %s', LONG, async (kind, make) => {
  await survives([await make()], async (bytes) => {
    const { text, places } = await extract(bytes, kind);
    for (const { offset } of places) expect(offset).toBeLessThanOrEqual(text.length);
  });
});

/** Of a container the bytes are mostly packed: its files are changed before they are. */
test.each(['docx', 'epub'] as const)('the files within a %s', LONG, async (kind) => {
  const { unzipSync } = await import('fflate');
  const files = unzipSync(await (kind === 'docx' ? docx(CHAPTERS.slice(0, 1)) : epub(CHAPTERS.slice(0, 2))));
  const names = Object.keys(files).filter((name) => /xml|html|opf|ncx/.test(name));
  const inputs = names.map((name) => files[name] as Uint8Array);
  await survives(inputs, async (bytes) => {
    const name = names[below(names.length)] as string;
    await extract(zipSync({ ...files, [name]: bytes }, { level: 0 }), kind);
  });
});

test('an imported file of conversations', LONG, async () => {
  const record = {
    id: 'a', title: 'T', created: 1, updated: 2, preset: 'assistant' as const, system: '', knowledge: '', leaf: 2,
    messages: [{ id: 1, parent: null, role: 'user' as const, text: 'q' }, { id: 2, parent: 1, role: 'assistant' as const, text: 'a', state: { kind: 'imported' as const } }],
  };
  const chatGpt = JSON.stringify([{
    title: 'T', create_time: 1, update_time: 2, current_node: 'c',
    mapping: {
      a: { id: 'a', parent: null, children: ['b'], message: null },
      b: { id: 'b', parent: 'a', children: ['c'], message: { author: { role: 'user' }, content: { content_type: 'text', parts: ['q'] } } },
      c: { id: 'c', parent: 'b', children: [], message: { author: { role: 'assistant' }, content: { content_type: 'text', parts: ['a', { __proto__: { polluted: 1 } }] } } },
    },
  }]);
  const zipped = zipSync({ 'conversations.json': strToU8(chatGpt) });
  await survives([...ofText(jsonFile([record], 'x').text, chatGpt, '{"__proto__":{"polluted":1}}'), zipped], async (bytes) => {
    for (const { messages, leaf } of await readConversations(new Blob([bytes]))) {
      const ids = new Set(messages.map(({ id }) => id));
      expect(messages.every(({ parent }) => parent === null || ids.has(parent))).toBe(true);
      expect(leaf === null || messages.length === 0 || ids.has(leaf)).toBe(true);
    }
  });
});

test('kept prompts', LONG, async () => {
  await survives(ofText('[{"id":"a","title":"T","text":"Say {{what}} to {{whom}}"}]', '[]', '{"__proto__":{"polluted":1}}'), (bytes) => {
    let value: unknown;
    try {
      value = JSON.parse(asText(bytes));
    } catch {
      return;
    }
    for (const { title, text } of soundPrompts(value)) expect([typeof title, typeof text]).toEqual(['string', 'string']);
  });
});

const answering = (response: () => Response) => hastyEnvironment({ fetch: async () => response() });
const never = new AbortController().signal;

test('a manifest', LONG, async () => {
  const part = { file: 'm.gguf', length: 20_000_000, sha256: 'ab'.repeat(32), chunks: ['cd'.repeat(32), 'ef'.repeat(32)] };
  const manifest = { format: 'web-mamba-manifest', version: 1, name: 'm', chunkBytes: 16 << 20, parts: [part] };
  const url = 'https://models.example/m.json';
  await survives(ofText(JSON.stringify(manifest), JSON.stringify({ ...manifest, parts: [part, { ...part, file: '../n.gguf' }] })), async (bytes) => {
    const { parts } = await manifestParts(answering(() => new Response(bytes, { headers: { 'content-type': 'application/json' } })), LIMITS, url, never);
    for (const { url: address, length } of parts) expect([new URL(address).protocol, (length ?? 0) > 0]).toEqual(['https:', true]);
  });
});

test('the headers of an answer with a range', LONG, async () => {
  const inputs = ofText('bytes 0-99/1000', 'bytes 0-99/*', 'bytes */1000', 'bytes 0-9/10, bytes 0-1/2', 'Bytes 00-099/01000', 'bytes 0-99999999999999999999/1e3', '"etag"', 'W/"etag"', '100');
  const expected = { etag: null, modified: null, ifRange: false, accepts: () => true };
  await survives(inputs, async (bytes) => {
    const text = () => asText(mutated([...inputs, bytes])).replaceAll(/[^\x21-\x7e ]/g, '') || '-';
    const headers = { 'content-range': below(8) === 0 ? 'bytes 0-99/1000' : text(), etag: text(), 'content-length': below(2) === 0 ? '100' : text() };
    const response = () => new Response(new Uint8Array(100), { status: [206, 206, 206, 200][below(4)] ?? 206, headers });
    const { end, total } = await requestRange(answering(response), { url: 'https://models.example/m.gguf', start: 0, end: 100, expected, total: null }, never);
    for (const number of [end, total]) expect(number === null || (Number.isSafeInteger(number) && number >= 0)).toBe(true);
    if (end !== null && total !== null) expect(end).toBeLessThanOrEqual(total);
  });
});
