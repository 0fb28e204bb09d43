/**
 * Where makers ask that their licence is accepted, it is shown before the first byte, with the size that the hub says. What is kept here was
 * accepted. Of a file that is not there, no licence is shown.
 */
import { sourceKey, type EngineWorker, type Listing, type RemoteSource } from 'web-mamba';
import { failure } from '../base/failure';
import type { CatalogueEntry } from './catalogue';
import type { Choice } from './choice';

/** A hub that takes longer holds nobody up: it is asked again when the download begins. */
const LISTING_MILLISECONDS = 5000;

export class Consent {
  /** Takes the answer, while the visitor is asked. */
  #answer: ((accepted: boolean) => void) | undefined;

  constructor(
    private readonly engine: Pick<EngineWorker, 'stored' | 'listings'>,
    /** Shows the licence of this entry; its bytes where the hub says them. */
    private readonly ask: (entry: CatalogueEntry, bytes: number | undefined) => void,
  ) {}

  answer(accepted: boolean): void {
    this.#answer?.(accepted);
  }

  /** Whether the model may be opened; asks where that is not known, unless it is no longer `wanted`. */
  async given({ entry, source }: Choice, wanted: () => boolean): Promise<boolean> {
    if (!entry?.licence.accept) return true;
    const stored = await this.engine.stored();
    if (stored.some(({ url }) => url === sourceKey(source))) return true;
    const listing = source.kind === 'hub' ? await this.#listing(source) : undefined;
    if (!wanted()) return false;
    if (listing?.kind === 'absent') throw failure('not-on-hub', { name: entry.name, type: entry.type });
    const accepted = await new Promise<boolean>((resolve) => {
      this.#answer = resolve;
      this.ask(entry, listing?.kind === 'listed' ? listing.bytes : undefined);
    });
    this.#answer = undefined;
    return accepted && wanted();
  }

  async #listing(source: RemoteSource): Promise<Listing | undefined> {
    const late = new Promise<Listing[]>((resolve) => setTimeout(() => resolve([]), LISTING_MILLISECONDS));
    const [listing] = await Promise.race([this.engine.listings([source]).catch((): Listing[] => []), late]);
    return listing;
  }
}
