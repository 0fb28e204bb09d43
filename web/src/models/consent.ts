/** Where makers ask that their licence is accepted, it is shown before the first byte. What is kept here was accepted. */
import { sourceKey, type EngineWorker } from 'web-mamba';
import type { CatalogueEntry } from './catalogue';
import type { Choice } from './choice';

export class Consent {
  /** Takes the answer, while the visitor is asked. */
  #answer: ((accepted: boolean) => void) | undefined;

  constructor(
    private readonly engine: Pick<EngineWorker, 'stored'>,
    /** Shows the licence of this entry. */
    private readonly ask: (entry: CatalogueEntry) => void,
  ) {}

  answer(accepted: boolean): void {
    this.#answer?.(accepted);
  }

  /** Whether the model may be opened; asks where that is not known, unless it is no longer `wanted`. */
  async given({ entry, source }: Choice, wanted: () => boolean): Promise<boolean> {
    if (!entry?.licence.accept) return true;
    const stored = await this.engine.stored();
    if (stored.some(({ url }) => url === sourceKey(source))) return true;
    if (!wanted()) return false;
    const accepted = await new Promise<boolean>((resolve) => {
      this.#answer = resolve;
      this.ask(entry);
    });
    this.#answer = undefined;
    return accepted && wanted();
  }
}
