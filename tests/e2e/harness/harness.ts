/** What tests call in the browser, as `window.harness`. The app itself has no such handle. */
import { proxy, wrap } from 'comlink';
import { EngineClient } from '../../../web/engine/src/client/client';
import { checkFits } from '../../../web/engine/src/worker/check-fits';
import { loadEngine } from '../../../web/engine/src/worker/load-engine';
import type { ModelPlan } from '../../../web/engine/pkg/web_mamba.js';
import type { BenchOptions, DeviceOptions, ModelInfo, GenerateOptions } from '../../../web/engine/src/protocol/protocol';
import { html, render } from 'lit-html';
import { loadMarkdown, prose } from '../../../web/src/markdown/view/prose';
import type { Progress } from '../../../web/engine/src/store/download-job';
import { addressSource } from '../../../web/engine/src/store/model-source';
import type { DownloadOptions, DownloadResult, WeightsWorker } from './weights.worker';

const engine = new EngineClient();
/** The engine in the page itself, to judge headers. */
const judging = loadEngine();
/** As in the app, downloads run in a worker. */
const weights = wrap<WeightsWorker>(new Worker(new URL('./weights.worker.ts', import.meta.url), { type: 'module' }));

/** The first 8 MB of a file, and its length: what a download has when it asks whether the model fits. */
async function beginning(url: string): Promise<{ header: Uint8Array; bytes: number }> {
  const bytes = await (await fetch(url)).arrayBuffer();
  return { header: new Uint8Array(bytes, 0, Math.min(bytes.byteLength, 8_000_000)), bytes: bytes.byteLength };
}


interface Refusal {
  code: string;
  detail: string;
}

async function judge(header: Uint8Array, bytes: number, device: DeviceOptions): Promise<Refusal | null> {
  return checkFits(judging)(header, bytes, device).then(() => null, ({ code, detail }: Refusal) => ({ code, detail }));
}

/** A chunk as downloads have it: the header, and what comes after. */
function padded(header: number[]): Uint8Array {
  const chunk = new Uint8Array(1_000_000);
  chunk.set(header);
  return chunk;
}

function drawn(markdown: string, holder = document.createElement('div')): HTMLElement {
  render(html`<div class="answer" ${prose(markdown)}></div>`, holder);
  return holder;
}

export const harness = {
  async open(url: string, device: DeviceOptions): Promise<ModelInfo> {
    const urls = [new URL(url, location.href).href];
    const { info } = await engine.open({ kind: 'address', name: 'model', urls }, device, () => undefined);
    return info;
  },
  /**
   * Opens a model and writes one token. Milliseconds until it was open and until the token was there, since the last byte had come, or of
   * a kept model since the call; how long the bytes took, and how far the load was when it was first heard of, from 0 to 1.
   */
  async firstToken(url: string, device: DeviceOptions): Promise<{ code: string; received: number; opened: number; answered: number; loadedBefore: number }> {
    const begun = performance.now();
    const result = { code: 'answered', received: 0, opened: NaN, answered: NaN, loadedBefore: NaN };
    const since = () => performance.now() - begun - result.received;
    let isWhole = false;
    try {
      await engine.open(addressSource(url, location.href), device, ({ step, done, total }) => {
        if (step === 'load') result.loadedBefore = Number.isNaN(result.loadedBefore) ? done / total : result.loadedBefore;
        else if (!isWhole) [result.received, isWhole] = [performance.now() - begun, done === total && total > 0];
      });
      result.opened = since();
      await engine.generate(Uint32Array.of(1), { maxTokens: 1, temperature: 0, ignoreEos: true }, () => undefined);
      result.answered = since();
    } catch (thrown) {
      ({ code: result.code = String(thrown) } = thrown as { code?: string });
    }
    return result;
  },
  /** Opens a model and answers with it, all under one signal that aborts at `when`; tells how it ended and how long the end took. */
  async abortAt(url: string, when: 'download' | 'load' | 'prefill' | 'decode'): Promise<{ ended: string; milliseconds: number }> {
    const control = new AbortController();
    let aborted = 0;
    const abort = (at: string) => {
      if (at !== when || control.signal.aborted) return;
      aborted = performance.now();
      control.abort();
    };
    let ended = 'complete';
    try {
      const urls = [new URL(url, location.href).href];
      const opening = ({ step, done }: { step: string; done: number }) => done > 0 && abort(step === 'load' ? 'load' : 'download');
      await engine.open({ kind: 'address', name: 'model', urls }, { backend: 'cpu' }, opening, control.signal);
      const prompt = new Uint32Array(4000).fill(5);
      await engine.generate(when === 'prefill' ? prompt : prompt.slice(0, 8), { maxTokens: 4000, ignoreEos: true }, (event) => {
        if (event.type === 'prefill' && event.done < event.total) abort('prefill');
        if (event.type === 'token') abort('decode');
        if (event.type === 'end') ended = `${event.stop} after ${event.tokens > 0 ? 'some' : 'no'} tokens`;
      }, control.signal);
    } catch (thrown) {
      ended = (thrown as { code?: string }).code ?? String(thrown);
    }
    return { ended, milliseconds: performance.now() - aborted };
  },
  /**
   * Opens a model, asks it, and leaves at its first event; what the store has of it goes. Tells how it ended, `text` or the failure's code,
   * how long the question took until then, and of how many tokens its prompt was.
   */
  async askOnce(url: string): Promise<{ outcome: string; milliseconds: number; tokens: number }> {
    const address = new URL(url, location.href).href;
    const control = new AbortController();
    let asked = performance.now();
    let [milliseconds, tokens] = [0, 0];
    const end = () => (milliseconds ||= performance.now() - asked);
    try {
      await engine.open({ kind: 'address', name: 'model', urls: [address] }, { backend: 'cpu' }, () => undefined);
      asked = performance.now();
      await engine.generate([{ role: 'user', content: 'Hello' }], { maxTokens: 4, ignoreEos: true }, (event) => {
        end();
        if (event.type === 'prefill') tokens ||= event.total;
        control.abort();
      }, control.signal);
      return { outcome: 'text', milliseconds: end(), tokens };
    } catch (thrown) {
      const { code = String(thrown) } = thrown as { code?: string };
      return { outcome: code === 'cancelled' ? 'text' : code, milliseconds: end(), tokens };
    } finally {
      await engine.remove(address).catch(() => undefined);
    }
  },
  /** Judges a file by its first bytes; gives the plan. */
  async plan(url: string, device: DeviceOptions): Promise<ModelPlan> {
      const { header, bytes } = await beginning(url);
    return judging.planModel([{ name: 'model', length: bytes, read: async (offset, length) => header.subarray(offset, offset + length) }], device);
  },
  /** Judges a file as a download does. */
  async checkFits(url: string, device: DeviceOptions): Promise<Refusal | null> {
    const { header, bytes } = await beginning(url);
    return judge(header, bytes, device);
  },
  /** The same for bytes of the test's own making, of a file that claims to be `length` long. */
  checkHeader: (header: number[], length: number, device: DeviceOptions): Promise<Refusal | null> => judge(padded(header), length, device),
  async tokenize(text: string): Promise<number[]> {
    return [...(await engine.tokenize(text))];
  },
  async logits(tokens: number[]): Promise<number[]> {
    return [...(await engine.logits(Uint32Array.from(tokens)))];
  },
  /** Tokens a second: medians of reading and of writing. */
  async bench(options: BenchOptions): Promise<{ prefill: number; decode: number; batch?: number }> {
    const { prefillTps, decodeTps, batchDecodeTps } = await engine.bench(options, () => undefined);
    return { prefill: prefillTps.median, decode: decodeTps.median, ...(batchDecodeTps ? { batch: batchDecodeTps.median } : {}) };
  },
  /** Milliseconds between the tokens of one answer of so many. */
  async tokenTimes(maxTokens: number): Promise<number[]> {
    const came: number[] = [];
    await engine.generate(Uint32Array.of(1), { maxTokens, temperature: 0, ignoreEos: true }, (event) => {
      if (event.type === 'token') came.push(performance.now());
    });
    return came.slice(1).map((time, index) => time - (came[index] ?? NaN));
  },
  /** The ids that the model gives after `tokens`. */
  async generate(tokens: number[], options: GenerateOptions): Promise<number[]> {
    const ids: number[] = [];
    await engine.generate(Uint32Array.from(tokens), options, (event) => {
      if (event.type === 'token') ids.push(event.id);
    });
    return ids;
  },
  /** How far a download is; {@link download} keeps it. */
  progress: { done: 0, total: 0 } as Progress,
  download(url: string, options: DownloadOptions = {}): Promise<DownloadResult> {
    return weights.download(new URL(url, location.href).href, options, proxy((progress: Progress) => void (harness.progress = progress)));
  },
  remove(url: string): Promise<void> {
    return weights.remove(url);
  },
  read(url: string, rangeBytes: number, hash = true): Promise<{ digests: string[]; bytes: number; milliseconds: number }> {
    return weights.read(url, rangeBytes, hash);
  },
  /** What a text becomes, without the marks that lit leaves in it. */
  async renderMarkdown(markdown: string): Promise<string> {
    await loadMarkdown();
    return (drawn(markdown).firstElementChild?.innerHTML ?? '').replace(/<!--.*?-->/g, '');
  },
  /** Draws a text as it grows, each time in a task of its own; gives how many elements of the result were there from when they came. */
  async streamMarkdown(markdown: string, step: number): Promise<{ elements: number; stayed: number }> {
    await loadMarkdown();
    const holder = document.createElement('div');
    document.body.append(holder);
    const came = new Set<Element>();
    for (let length = step; length < markdown.length + step; length += step) {
      drawn(markdown.slice(0, length), holder);
      await new Promise((resolve) => setTimeout(resolve));
      if (length === 10 * step) for (const each of holder.querySelectorAll('.answer > *')) came.add(each);
    }
    const now = [...holder.querySelectorAll('.answer > *')];
    const stayed = now.filter((each) => came.has(each)).length;
    holder.remove();
    return { elements: now.length, stayed };
  },
  /** Draws code as it grows, a frame each; gives its text at the end, how much of it has a colour, and by how much that ever fell on the way. */
  async streamCode(language: string, code: string, step: number): Promise<{ text: string; coloured: number; lost: number; stayed: boolean }> {
    await loadMarkdown();
    const holder = document.createElement('div');
    document.body.append(holder);
    const coloured = () => [...holder.querySelectorAll('code span[class]')].reduce((length, { textContent }) => length + textContent.length, 0);
    let [most, lost, first]: [number, number, Element | null] = [0, 0, null];
    const note = () => {
      const now = coloured();
      // The word at the end may turn out to be another.
      lost = Math.max(lost, most - now);
      most = Math.max(most, now);
      first ??= holder.querySelector('code span[class]');
    };
    for (let length = step; length < code.length + step; length += step) {
      drawn(`\`\`\`${language}\n${code.slice(0, length)}`, holder);
      await new Promise(requestAnimationFrame);
      note();
    }
    for (let last = -1; last !== coloured(); await new Promise((resolve) => setTimeout(resolve, 400))) last = coloured();
    const stayed = first === holder.querySelector('code span[class]');
    const result = { text: holder.querySelector('code')?.textContent ?? '', coloured: coloured(), lost, stayed };
    holder.remove();
    return result;
  },
  /** How many milliseconds of its thread the page takes to draw and lay out a text, and how deep the result is. */
  async timeMarkdown(markdown: string): Promise<{ milliseconds: number; depth: number; text: string }> {
    await loadMarkdown();
    const begun = performance.now();
    const holder = drawn(markdown);
    document.body.append(holder);
    holder.getBoundingClientRect();
    const milliseconds = performance.now() - begun;
    let depth = 0;
    for (let at: Element | null = holder; at; at = at.firstElementChild) depth += 1;
    const { textContent: text } = holder;
    holder.remove();
    return { milliseconds, depth, text };
  },
};

declare global {
  interface Window {
    harness: typeof harness;
  }
}
window.harness = harness;
