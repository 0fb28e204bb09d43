/** Calls of tools, by the package's own way in. */
import { WebMamba, type ChatCompletion, type ChatCompletionBody, type LoadedModel } from '../../../web/engine/src/index';

/** A model for each file and backend, loaded once. */
const models = new Map<string, LoadedModel>();

async function modelOf(url: string, backend: 'cpu' | 'webgpu'): Promise<LoadedModel> {
  const key = `${backend} ${url}`;
  const model = models.get(key) ?? (await WebMamba.load(new URL(url, location.href).href, { backend, workers: 1 }));
  models.set(key, model);
  return model;
}

/** An answer that may, or has to, call tools. */
export async function called(url: string, backend: 'cpu' | 'webgpu', body: Omit<ChatCompletionBody, 'stream'>): Promise<ChatCompletion> {
  return (await modelOf(url, backend)).chat.completions.create({ ...body, stream: false });
}

/** The conversation as the model reads it. */
export async function conversed(url: string, backend: 'cpu' | 'webgpu', ...given: Parameters<LoadedModel['applyChatTemplate']>): Promise<string> {
  return (await modelOf(url, backend)).applyChatTemplate(...given);
}

declare global {
  interface Window {
    called: typeof called;
    conversed: typeof conversed;
  }
}
window.called = called;
window.conversed = conversed;
