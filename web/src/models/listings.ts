/** What the hub says of files of the catalogue whose listing nobody has seen: asked when the choice of a model is opened. */
import type { EngineWorker, Listing } from 'web-mamba';
import { catalogue, entrySource, type CatalogueEntry } from './catalogue';

export class Listings {
  #asked = false;
  readonly #known = new Map<string, Listing>();

  constructor(
    private readonly engine: Pick<EngineWorker, 'listings'>,
    /** Address of the page, which relative addresses of the catalogue start from. */
    private readonly base: string,
    private readonly changed: () => void,
  ) {}

  /** Undefined where nothing is in question, or the answer is still to come. */
  of({ id }: CatalogueEntry): Listing | undefined {
    return this.#known.get(id);
  }

  /** Once; what could not be asked is asked anew the next time. */
  async ask(): Promise<void> {
    const open = catalogue.filter(({ id, unconfirmed }) => unconfirmed && (this.#known.get(id)?.kind ?? 'unknown') === 'unknown');
    if (this.#asked || open.length === 0) return;
    this.#asked = true;
    const listings = await this.engine.listings(open.map((entry) => entrySource(entry, this.base))).catch(() => undefined);
    open.forEach(({ id }, index) => this.#known.set(id, listings?.[index] ?? { kind: 'unknown' }));
    this.#asked = false;
    this.changed();
  }
}
