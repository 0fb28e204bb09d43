/** The catalogue's models before this device: which it can hold, and what to take in place of one that it cannot. */
import { sourceKey, type StoredModel } from 'web-mamba';
import { failure, type Failure } from '../base/failure';
import { fill, formatBytes } from '../base/format';
import { judge, type Device, type Verdict } from './capability';
import { catalogue, entrySource, type CatalogueEntry } from './catalogue';
import { modelStrings } from './model-strings';

export interface Offer {
  entry: CatalogueEntry;
  verdict: Verdict;
  /** It is in this browser already: nothing is to be downloaded. */
  kept: boolean;
  /** Where the model itself is refused: the most capable one that runs here. */
  instead: CatalogueEntry | undefined;
}

/** What of a stored model matters here. */
export type Kept = Pick<StoredModel, 'url' | 'stored' | 'complete'>;

/** The model that the page offers beside its demo, in its usual quantisation. */
export const offered: CatalogueEntry | undefined = catalogue.find(({ id }) => id === 'falcon-mamba-7b-instruct-q4_k_m');

export function offerOf(entry: CatalogueEntry, device: Device, stored: readonly Kept[], base: string): Offer {
  const judged = (each: CatalogueEntry) => {
    const there = stored.find(({ url }) => url === sourceKey(entrySource(each, base)));
    return { kept: there?.complete ?? false, verdict: judge({ bytes: Math.max(0, each.bytes - (there?.stored ?? 0)), memory: each.memory }, device) };
  };
  const { kept, verdict } = judged(entry);
  // The demo is no choice in place of a model: it is there anyway.
  const smaller = catalogue.filter((each, index) => index > 0 && each.memory < entry.memory);
  const others = verdict.kind === 'refused' ? smaller.filter((each) => judged(each).verdict.kind === 'fits') : [];
  // The same model in fewer bits comes first; else the largest that chats here.
  const same = others.filter(({ name }) => name === entry.name);
  const [instead] = (same.length > 0 ? same : others.filter(({ name }) => /instruct/i.test(name))).sort((a, b) => b.bytes - a.bytes);
  return { entry, verdict, kept, instead };
}

/** What fits in place of a refused model, as a sentence. */
export function insteadText({ instead }: Offer): string {
  return instead ? fill(modelStrings.offerInstead, { name: instead.name, type: instead.type, size: formatBytes(instead.bytes) }) : modelStrings.offerNothing;
}

export function refusal(offer: Offer, { memory = 0, storage = 0 }: Device): Failure {
  const { entry: { name, type, bytes, memory: needed }, verdict } = offer;
  const why = verdict.kind === 'refused' ? verdict.why : 'memory';
  return failure(`refused-${why}`, {
    name, type, size: formatBytes(bytes), needed: formatBytes(needed), available: `${memory / 1024 ** 3} GB`, room: formatBytes(storage), instead: insteadText(offer),
  });
}
