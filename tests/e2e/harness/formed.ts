/** Answers that are held to a form, by the package's own way in. */
import { WebMamba, type AnswerSettings, type LoadedModel } from '../../../web/engine/src/index';

/** A model for each backend, loaded once. */
const models = new Map<string, LoadedModel>();

/** The text of an answer; what the call fails with, where it does. */
export async function formed(url: string, backend: 'cpu' | 'webgpu', options: AnswerSettings): Promise<string> {
  const model = models.get(backend) ?? (await WebMamba.load(new URL(url, location.href).href, { backend, workers: 1 }));
  models.set(backend, model);
  try {
    let text = '';
    for await (const event of model.generate('The license', options)) {
      if (event.type === 'token' || event.type === 'end') text += event.text;
    }
    return text;
  } catch (thrown) {
    const { code, message } = thrown as { code?: string; message?: string };
    return `${code}: ${message}`;
  }
}

declare global {
  interface Window {
    formed: typeof formed;
  }
}
window.formed = formed;
