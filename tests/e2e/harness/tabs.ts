/** A model that this tab shares with others, by the package's own way in. */
import { WebMamba, type GenerateOptions, type LoadedModel } from '../../../web/engine/src/index';

let model: LoadedModel;

/** What became of an answer so far. */
export interface Progressing {
  text: string;
  /** Kinds of events, each once for as often as it follows itself. */
  kinds: string[];
  /** `end`, or what it failed with. */
  outcome: string | undefined;
}

let answer: Progressing;

export const tabs = {
  async load(url: string): Promise<string> {
    model = await WebMamba.load(new URL(url, location.href).href, { shared: true, backend: 'cpu', workers: 1 });
    return model.name;
  },
  /** Begins an answer, which goes on by itself. */
  begin(prompt: string, options: GenerateOptions): void {
    const mine: Progressing = (answer = { text: '', kinds: [], outcome: undefined });
    void (async () => {
      for await (const event of model.generate(prompt, options)) {
        if (mine.kinds.at(-1) !== event.type) mine.kinds.push(event.type);
        if (event.type === 'token') mine.text += event.text;
      }
    })().then(() => (mine.outcome = 'end'), (thrown: unknown) => (mine.outcome = (thrown as { code?: string }).code ?? String(thrown)));
  },
  answer: (): Progressing => answer,
};

declare global {
  interface Window {
    tabs: typeof tabs;
  }
}
window.tabs = tabs;
