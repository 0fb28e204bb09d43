/** What only a link names is asked about before anything of it is fetched. */
import { expect, test, vi } from 'vitest';
import { settle } from './browser';
import { BenchController, type BenchData } from '../src/bench/bench-controller';
import { chooseAddress, chooseParam, chooseStored } from '../src/models/choice';
import { failure } from '../src/base/failure';
import { LinkConsent, type LinkQuestion } from '../src/models/link-consent';
import type { EngineWorker } from '../engine/src/protocol/calls';
import type { OpenModel, OpenProgress, StoredModel } from '../engine/src/protocol/protocol';
import { addressParts, addressText } from '../engine/src/base/address-text';
import { fileAddress } from '../engine/src/store/model-source';

const BASE = 'https://page.example/chat/';
const MODEL = 'https://host.example/m.gguf';

function setUp({ kept = [] as string[], unreadable = false } = {}) {
  const questions: LinkQuestion[] = [];
  const agreed = new Set<string>();
  const endOpening = vi.fn(async (): Promise<void> => undefined);
  const stored = async () => {
    if (unreadable) throw failure('storage');
    return kept.map((url) => ({ url }) as StoredModel);
  };
  const consent = new LinkConsent({ stored, endOpening }, agreed, (question) => questions.push(question));
  const refused = (param: string | null, state: string | null = null) => consent.refused({ choice: chooseParam(param, BASE), state, base: BASE }, () => true);
  return { consent, questions, agreed, endOpening, refused };
}

test.each([
  ['the first of the catalogue', null],
  ['an entry of the catalogue', 'falcon-mamba-7b-instruct-q4_k_m'],
  ['the address of one', 'https://huggingface.co/tiiuae/Falcon3-Mamba-7B-Instruct-GGUF/resolve/main/Falcon3-Mamba-7B-Instruct-q4_k_m.gguf'],
  ['a relative address', 'models/m.gguf'],
  ['the page’s own server', 'https://page.example/m.gguf'],
  ['the same with a backslash', '\\\\page.example\\m.gguf'],
  ['a file of this computer that is kept', 'file:m.gguf:12:34'],
])('nobody is asked about %s', async (_, param) => {
  const { refused, questions } = setUp();
  expect(await refused(param, 'states/kettle.state')).toEqual([]);
  expect(questions).toEqual([]);
});

test.each([
  ['an address', MODEL, 'host.example'],
  ['another port', 'https://page.example:8443/m.gguf', 'page.example:8443'],
  ['this machine', 'http://localhost:8080/m.gguf', 'localhost:8080'],
  ['another name of the same address', 'https://page.example./m.gguf', 'page.example.'],
  ['without a protocol', '//host.example/m.gguf', 'host.example'],
  ['with backslashes', '\\\\host.example\\m.gguf', 'host.example'],
  ['with one slash of each kind', '/\\host.example/m.gguf', 'host.example'],
  ['with a protocol and no slash for the browser to see', 'https:\\\\host.example/m.gguf', 'host.example'],
  ['with line breaks and tabs', 'ht\ntps://ho\tst.example/m.gguf', 'host.example'],
  ['with letters that look alike', 'https://\u0440\u0430ge.example/m.gguf', 'xn--ge-6kc7d.example'],
  ['with full-width letters', 'https://\uff48ost.example/m.gguf', 'host.example'],
  ['a number for an address', 'https://2130706433/m.gguf', '127.0.0.1'],
  ['the hub, of another maker', 'https://huggingface.co/someone/else/resolve/main/m.gguf', 'huggingface.co'],
  ['the hub, another revision', 'https://huggingface.co/tiiuae/Falcon3-Mamba-7B-Instruct-GGUF/resolve/other/Falcon3-Mamba-7B-Instruct-q4_k_m.gguf', 'huggingface.co'],
  ['the hub, with what does not decode', 'https://huggingface.co/a/b/resolve/main/%zz.gguf', 'huggingface.co'],
  ['a part of a split set', 'https://host.example/m-00002-of-00003.gguf', 'host.example'],
  ['a manifest', 'https://host.example/m.manifest.json', 'host.example'],
])('%s of another server is asked about once, and stays away when declined', async (_, param, host) => {
  const { refused, consent, questions, agreed } = setUp({ unreadable: true });
  const first = refused(param);
  await settle();
  expect(questions).toHaveLength(1);
  expect(questions[0]?.files.map(({ what, url }) => [what, addressParts(url).host])).toEqual([['model', host]]);
  consent.answer(false);
  expect(await first).toHaveLength(1);
  expect(agreed.size).toBe(0);
  const second = refused(param);
  await settle();
  consent.answer(true);
  expect(await second).toEqual([]);
  expect(await refused(param)).toEqual([]);
  expect(questions).toHaveLength(2);
});

test('a model and a state are asked about together; what was typed here or is kept is not; an agreement is for one address', async () => {
  const { refused, consent, questions } = setUp({ kept: ['https://kept.example/m-00001-of-00002.gguf'] });
  const state = 'https://other.example/s.state';
  const both = refused(MODEL, state);
  await settle();
  expect(questions).toEqual([{ files: [{ what: 'model', url: MODEL }, { what: 'state', url: state }] }]);
  consent.answer(true);
  expect(await both).toEqual([]);
  expect(await refused('https://kept.example/m-00002-of-00002.gguf', `${state}#again`)).toEqual([]);
  const of = (choice: ReturnType<typeof chooseAddress>) => consent.refused({ choice, state: null, base: BASE }, () => true);
  expect(await of(chooseAddress('https://typed.example/m.gguf', BASE))).toEqual([]);
  expect(await of(chooseStored('https://pressed.example/m.gguf', 'm', BASE))).toEqual([]);
  expect(questions).toHaveLength(1);
  const neighbour = refused('https://host.example/n.gguf');
  await settle();
  expect(questions).toHaveLength(2);
  consent.answer(false);
  expect(await neighbour).toHaveLength(1);
});

test.each(['http://host.example/s.state', 'blob:https://page.example/1', 'data:,x', 'javascript:1', 'file:///s.state', 'https://', ''])(
  'a state at %j is no question: nothing is fetched there', async (state) => {
    const { refused, questions } = setUp();
    expect(await refused(null, state)).toEqual([]);
    expect(questions).toEqual([]);
    expect(() => fileAddress(state, BASE)).toThrow(expect.objectContaining({ code: 'address' }));
  },
);

test.each([
  'http://host.example/m.gguf', 'https://me@host.example/m.gguf', 'https://huggingface.co:x@host.example/m.gguf', 'https://:pw@page.example/m.gguf',
  'blob:https://page.example/1', 'data:application/octet-stream,GGUF', 'javascript:alert(1)', 'file:///etc/m.gguf', 'file:m.gguf', 'filesystem:https://page.example/m.gguf',
  'ws://host.example/m.gguf', 'hf:owner/repo/m.gguf', 'http://[::1]/m.gguf', 'http://127.0.0.2/m.gguf', 'about:blank', 'https://[', 'view-source:https://host.example/m.gguf',
])('%s is no address that a link can have', (param) => {
  expect(() => chooseParam(param, BASE)).toThrow(expect.objectContaining({ code: 'address' }));
});

test('an address shows its whole host first, and nothing in it turns or hides the rest', () => {
  const long = addressParts(`https://${'a'.repeat(60)}.example:8443/${'x'.repeat(5000)}/m.gguf?y=${'z'.repeat(5000)}`);
  expect(long).toMatchObject({ before: 'https://', host: `${'a'.repeat(60)}.example:8443` });
  expect(long.after).toMatch(/^\/x+…z+$/);
  expect(long.after.length).toBeLessThan(200);
  const turned = addressParts('https://host.example/\u202efugg.\u2066\u200f/\ud800?\u202e');
  expect(Object.values(turned).join('')).toMatch(/^[\x21-\x7e]+$/);
  expect(addressText(`javascript:\u202e${'x'.repeat(5000)}\n\u2069\ud800`)).toMatch(/^javascript:\ufffdx+…x+\ufffd{3}$/);
  expect(() => fileAddress(`data:${'x'.repeat(1e6)}`, BASE)).toThrow(expect.objectContaining({ message: expect.stringMatching(/^.{1,300}$/) as string }));
});

/** An engine that reports once, and whose download ends as it is told to. */
function opening(progress: Partial<OpenProgress>) {
  const base = setUp();
  let end: (reason: unknown) => void = () => undefined;
  base.endOpening.mockImplementation(async () => void end(failure('discarded')));
  let runs = 0;
  const open = vi.fn((onProgress: (progress: OpenProgress) => void) => new Promise<OpenModel>((resolve, reject) => {
    end = reject;
    runs += 1;
    onProgress({ step: 'receive', done: 0, total: 0, ...progress } as OpenProgress);
    void settle().then(() => resolve({ url: MODEL, name: 'm' } as OpenModel));
  }));
  const seen: OpenProgress[] = [];
  const opened = (choice = chooseParam(MODEL, BASE)) => base.consent.opened({ choice, base: BASE }, open, (each) => seen.push(each), () => true);
  return { ...base, open, opened, seen, runs: () => runs };
}

test.each([
  [{ total: 100e6 + 1 }, 100e6 + 1], [{ done: 5, total: 0, announced: 4e9 }, 4e9], [{ done: 100e6 + 1, total: 0 }, 0], [{ done: 100e6 + 1, total: 0, announced: 5e6 }, 0],
])('of %j nothing is kept before the visitor has heard the size', async (progress, bytes) => {
  const { consent, questions, opened, seen, runs } = opening(progress);
  const first = opened();
  await settle();
  expect(questions).toEqual([{ files: [{ what: 'model', url: MODEL }], bytes }]);
  expect(seen).toEqual([]);
  consent.answer(false);
  await expect(first).rejects.toMatchObject({ code: 'declined' });
  const second = opened();
  await settle();
  consent.answer(true);
  await expect(second).resolves.toMatchObject({ url: MODEL });
  expect(runs()).toBe(3);
  await opened();
  expect(questions).toHaveLength(2);
});

test('a small one, one that was typed here and one that another tab downloads come without a second question', async () => {
  const small = opening({ total: 100e6 });
  const unsaid = opening({ done: 5, total: 0 });
  const elsewhere = opening({ total: 4e9, elsewhere: true });
  const typed = opening({ total: 4e9 });
  await Promise.all([small.opened(), unsaid.opened(), elsewhere.opened(), typed.opened(chooseAddress(MODEL, BASE))]);
  for (const { questions, endOpening } of [small, unsaid, elsewhere, typed]) {
    expect(questions).toEqual([]);
    expect(endOpening).not.toHaveBeenCalled();
  }
});

test('the benchmark asks too, and measures nothing when it may not', async () => {
  let data: BenchData | undefined;
  const listeners = new Map<string, () => void>();
  const engine = { open: vi.fn(async () => ({ url: MODEL }) as OpenModel), bench: vi.fn(), stored: async () => [], endOpening: async () => undefined };
  const address = { base: BASE, model: MODEL, device: { backend: 'auto' as const }, count: (_: string, otherwise: number) => otherwise };
  new BenchController({ update: (each) => (data = each), on: (name, listener) => listeners.set(name, listener) }, engine as unknown as EngineWorker, address).start();
  listeners.get('measure')?.();
  await settle();
  expect(data?.status).toEqual({ kind: 'link', question: { files: [{ what: 'model', url: MODEL }] } });
  listeners.get('decline')?.();
  await settle();
  expect(data?.status).toEqual({ kind: 'idle' });
  expect(engine.open).not.toHaveBeenCalled();
  listeners.get('measure')?.();
  await settle();
  listeners.get('accept')?.();
  await settle();
  expect(engine.open).toHaveBeenCalledOnce();
});
