/** wllama (llama.cpp compiled to wasm) in a page of its own, as benchmarks drive it: `window.peer`. */
import type { ChatMessage } from '../../web/engine/src/protocol/protocol';
import type { Site } from '../e2e/site';

/** Folder of its package; empty where a script has not named it. */
export const PEER = process.env.PEER_PACKAGE ?? '';

export interface Timings {
  cache_n: number;
  prompt_n: number;
  prompt_per_second: number;
  predicted_n: number;
  predicted_per_second: number;
}

export interface PeerAnswer {
  text: string;
  /** Milliseconds from the call to the first token. */
  firstToken: number;
  /** Tokens of the prompt that were read, and that were known. */
  read: number;
  known: number;
}

const PAGE = `<!doctype html><title>peer</title><script type="module">
  import { Wllama } from './wllama/esm/index.js';
  let engine;
  window.peer = {
    async open(url, threads, context = 2048) {
      const wasm = new URL('./wllama/esm/wasm/wllama.wasm', location.href).href;
      engine = new Wllama({ default: wasm }, { suppressNativeLog: true });
      const blob = await (await fetch(url)).blob();
      await engine.loadModel([blob], { n_threads: threads, n_ctx: context, n_batch: 512, n_gpu_layers: 0, warmup: true });
      return engine.getNumThreads();
    },
    async run(words, answer) {
      // Another first word each time, so that nothing of the prompt before is used again.
      const prompt = Math.random().toString(36).slice(2) + ' the'.repeat(words);
      const { timings } = await engine.createCompletion({ prompt, max_tokens: answer, temperature: 0, ignore_eos: true, cache_prompt: false });
      return timings;
    },
    async answer(messages, tokens) {
      const start = performance.now();
      let firstToken;
      let timings;
      let text = '';
      const options = { messages, max_tokens: tokens, temperature: 0, cache_prompt: true, stream: true };
      for await (const chunk of await engine.createChatCompletion(options)) {
        const words = chunk.choices[0]?.delta?.content ?? '';
        if (words !== '') firstToken ??= performance.now() - start;
        text += words;
        timings = chunk.timings ?? timings;
      }
      return { text, firstToken, read: timings.prompt_n, known: timings.cache_n };
    },
  };
</script>`;

/** Serves the page at `/peer.html`. */
export function givePeer(site: Site): void {
  site.mount('/wllama/', PEER);
  site.give('/peer.html', PAGE, { 'content-type': 'text/html' });
}

declare global {
  interface Window {
    peer: {
      open(url: string, threads: number, context?: number): Promise<number>;
      run(words: number, answer: number): Promise<Timings>;
      answer(messages: ChatMessage[], tokens: number): Promise<PeerAnswer>;
    };
  }
}
