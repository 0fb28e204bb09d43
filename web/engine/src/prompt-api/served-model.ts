/** The model behind these interfaces: loaded when the first object is created, and shared by all of them. */
import { failure, toFailure } from '../base/failure.ts';
import { checkArgument, wrongOption, type Kind } from '../api/checks.ts';
import { LoadedModel } from '../api/loaded-model.ts';
import type { LoadOptions, LoadProgress } from '../api/options.ts';
import type { Source } from '../api/source.ts';
import { WebMamba, type WebMambaCalls } from '../api/web-mamba.ts';
import { exception, isUnsuitable } from './exceptions.ts';
import type { Availability } from './types.ts';

/** Options for `WebMamba.load`: those that were given, with a signal and a listener that serve all objects. */
type Loading = LoadOptions & { signal: AbortSignal; onProgress: (progress: LoadProgress) => void };

/** A model that is loaded, what one is loaded from, or a function that loads one and may do more on the way. */
export type PromptApiModel = LoadedModel | Source | ((options: Loading) => Promise<LoadedModel>);

/** More of the same model, by what it is given as. */
interface Given {
  load(options: Loading): Promise<LoadedModel>;
  availability(): Promise<Availability>;
  /** Whether it is this object's to close. */
  isOwn: boolean;
}

const source: Kind = {
  fits: (value) => typeof value === 'string' || (typeof value === 'object' && value !== null),
  expected: 'a loaded model, a source of WebMamba.load, or a function that loads a model',
};

export class ServedModel {
  readonly #given: Given;
  readonly #options: LoadOptions;
  readonly #listeners = new Set<(progress: LoadProgress) => void>();
  #loading: Promise<LoadedModel> | undefined;
  #isLoaded = false;
  #control = new AbortController();

  constructor(model: PromptApiModel, options: LoadOptions, calls: WebMambaCalls = WebMamba) {
    [this.#given, this.#options] = [givenBy(model, options, calls), options];
    if (options.onProgress) this.#listeners.add(options.onProgress);
  }

  async availability(): Promise<Availability> {
    if (this.#isLoaded) return 'available';
    return this.#loading ? 'downloading' : this.#given.availability();
  }

  /** The model, which is loaded once for all who ask; one that could not be is tried again by the next. */
  async load(onProgress: (progress: LoadProgress) => void): Promise<LoadedModel> {
    this.#listeners.add(onProgress);
    try {
      return await (this.#loading ??= this.#load());
    } finally {
      this.#listeners.delete(onProgress);
    }
  }

  /** Ends the download, or the model that was loaded here. The next object loads it again. */
  async close(): Promise<void> {
    const loading = this.#loading;
    this.#control.abort(failure('freed'));
    this.#control = new AbortController();
    [this.#loading, this.#isLoaded] = [undefined, false];
    if (this.#given.isOwn) await (await loading?.catch(() => undefined))?.close();
  }

  async #load(): Promise<LoadedModel> {
    const { signal } = this.#control;
    const ends = this.#options.signal ? AbortSignal.any([signal, this.#options.signal]) : signal;
    try {
      const onProgress = (progress: LoadProgress) => this.#listeners.forEach((listener) => listener(progress));
      const model = await this.#given.load({ ...this.#options, signal: ends, onProgress });
      if (!signal.aborted) this.#isLoaded = true;
      return model;
    } catch (thrown) {
      if (!signal.aborted) this.#loading = undefined;
      throw thrown;
    }
  }
}

function givenBy(model: PromptApiModel, options: LoadOptions, calls: WebMambaCalls): Given {
  if (model instanceof LoadedModel) {
    const [option] = Object.entries(options);
    if (option) throw wrongOption(...option, 'absent, as it is to be with a model that is loaded');
    return { load: async () => model, availability: async () => 'available', isOwn: false };
  }
  if (typeof model === 'function') return { load: model, availability: async () => 'downloadable', isOwn: true };
  checkArgument('model', model, source);
  return {
    load: (loading) => calls.load(model, loading),
    availability: () => availabilityOf(model, options, calls),
    isOwn: true,
  };
}

async function availabilityOf(source: Source, { backend, activations, workers }: LoadOptions, calls: WebMambaCalls): Promise<Availability> {
  try {
    const { fits, downloaded } = await calls.availability(source, { backend, activations, workers });
    if (!fits) return 'unavailable';
    return downloaded === 'yes' ? 'available' : 'downloadable';
  } catch (thrown) {
    if (isUnsuitable(thrown)) return 'unavailable';
    // It may be known another time, as where there is no network.
    throw exception('UnknownError', toFailure(thrown));
  }
}
