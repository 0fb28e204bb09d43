/** What tests call in the browser, as `window.harness`. The app itself has no such handle. */
import { EngineClient } from '../../../web/src/engine/client';
import type { Backend, ModelInfo, GenerateOptions } from '../../../web/src/engine/protocol';
import { renderMarkdown } from '../../../web/src/ui/markdown';

const engine = new EngineClient();

export const harness = {
  async open(url: string, backend: Backend): Promise<ModelInfo> {
    const { info } = await engine.open({ kind: 'address', name: 'model', urls: [new URL(url, location.href).href] }, backend, () => undefined);
    return info;
  },
  async tokenize(text: string): Promise<number[]> {
    return [...(await engine.tokenize(text))];
  },
  async logits(tokens: number[]): Promise<number[]> {
    return [...(await engine.logits(Uint32Array.from(tokens)))];
  },
  /** The ids that the model gives after `tokens`. */
  async generate(tokens: number[], options: GenerateOptions): Promise<number[]> {
    const ids: number[] = [];
    await engine.generate(Uint32Array.from(tokens), options, (event) => {
      if (event.type === 'token') ids.push(event.id);
    });
    return ids;
  },
  renderMarkdown,
};

declare global {
  interface Window {
    harness: typeof harness;
  }
}
window.harness = harness;
