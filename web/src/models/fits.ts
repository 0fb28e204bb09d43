/** What the engine makes of the catalogue's models on this device: asked once, before anything is loaded. */
import type { EngineWorker, FitVerdict, ModelRequirements } from 'web-mamba';
import { limitsOf, type Device } from './capability';
import { catalogue, replaced, type CatalogueEntry } from './catalogue';

export interface Situation {
  device: Device;
  /** By the entry's id. */
  fits: ReadonlyMap<string, FitVerdict>;
}

function requirementsOf({ memory, largestBinding, ranks }: CatalogueEntry): ModelRequirements {
  return { memory, largestBinding, ranks };
}

export class Fits {
  /** Undefined until the engine has said it. */
  known: Situation['fits'] | undefined;
  #asked: Promise<Situation | undefined> | undefined;

  constructor(
    private readonly engine: Pick<EngineWorker, 'judgeFits'>,
    private readonly device: Promise<Device>,
    private readonly changed: () => void,
  ) {}

  /** Undefined where the engine cannot say it; then opening a model says why. Asked anew, it may. */
  situation(): Promise<Situation | undefined> {
    this.#asked ??= this.#ask().catch(() => (this.#asked = undefined));
    return this.#asked;
  }

  async #ask(): Promise<Situation> {
    const device = await this.device;
    const entries = [...catalogue, ...replaced];
    const verdicts = await this.engine.judgeFits(entries.map(requirementsOf), limitsOf(device));
    const fits = new Map(verdicts.map((verdict, index) => [(entries[index] as CatalogueEntry).id, verdict]));
    this.known = fits;
    this.changed();
    return { device, fits };
  }
}
