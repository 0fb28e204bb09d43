/** The catalogue's models before this device: which it can hold, and what to take in place of one that it cannot. */
import { sourceKey, type FitDoubt, type FitProblem, type FitReason, type FitVerdict, type StoredModel } from 'web-mamba';
import { failure, type MambaError } from '../base/failure';
import { fill, formatBytes } from '../base/format';
import type { Device } from './capability';
import { catalogue, entrySource, type CatalogueEntry } from './catalogue';
import type { Situation } from './fits';
import { modelStrings } from './model-strings';

/** Why a model is refused, with numbers in bytes. Room is the page's to know, the rest the engine's. */
export type Refusal = { code: FitProblem | 'storage' } & Omit<FitReason<FitProblem>, 'code'>;

/** Whether this device can hold a model; unknown until the engine has said it. */
export type Verdict =
  | { kind: 'unknown' }
  | { kind: 'fits' }
  | { kind: 'doubt'; doubts: readonly FitReason<FitDoubt>[] }
  | { kind: 'refused'; why: Refusal };

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

/** What the page may offer beside its demo: models that chat, each in its usual quantisation, the most capable first. */
export const offers: readonly CatalogueEntry[] = catalogue.filter(({ offered }) => offered).sort((a, b) => b.bytes - a.bytes);

/**
 * Without a GPU, more bytes than these write slower than one reads: a token takes one reading of them, and a processor of an ordinary
 * computer reads some 10 GB/s.
 */
const PROCESSOR_BYTES = 1.5e9;

/**
 * The offer of a first visit: the most capable model that this device certainly holds; where none is certain, the smallest that may do; where
 * none does, the most capable one, refused.
 */
export function bestOffer({ gpu }: Pick<Device, 'gpu'>, judged: (entry: CatalogueEntry) => Offer | undefined): Offer | undefined {
  const all = offers.flatMap((entry) => judged(entry) ?? []);
  const good = all.find(({ entry, kept, verdict }) => kept || (verdict.kind === 'fits' && (gpu || entry.bytes <= PROCESSOR_BYTES)));
  return good ?? all.findLast(({ verdict }) => verdict.kind === 'doubt') ?? all[0];
}

/** `fits` is undefined until it is known. */
export function offerOf(entry: CatalogueEntry, { device, fits }: { device: Device; fits?: Situation['fits'] | undefined }, stored: readonly Kept[], base: string): Offer {
  const judged = (each: CatalogueEntry) => {
    const there = stored.find(({ url }) => url === sourceKey(entrySource(each, base)));
    const toCome = Math.max(0, each.bytes - (there?.stored ?? 0));
    return { kept: there?.complete ?? false, verdict: verdictOf(fits?.get(each.id), toCome, device) };
  };
  const { kept, verdict } = judged(entry);
  return { entry, verdict, kept, instead: verdict.kind === 'refused' ? insteadOf(entry, (each) => judged(each).verdict) : undefined };
}

/** What is to come must have room, which only the page knows of; the rest is the engine's verdict. */
function verdictOf(fit: FitVerdict | undefined, toCome: number, { storage }: Device): Verdict {
  if (storage !== undefined && toCome > storage) return { kind: 'refused', why: { code: 'storage', needed: toCome, available: storage } };
  if (!fit) return { kind: 'unknown' };
  if (!fit.fits) return { kind: 'refused', why: fit.problem ?? { code: 'memory', needed: 0 } };
  return fit.doubts.length > 0 ? { kind: 'doubt', doubts: fit.doubts } : { kind: 'fits' };
}

/** The most capable model that this device can hold in place of another. */
function insteadOf(entry: CatalogueEntry, verdict: (each: CatalogueEntry) => Verdict): CatalogueEntry | undefined {
  // The demo is no choice in place of a model: it is there anyway.
  const smaller = catalogue.filter((each, index) => index > 0 && each.memory < entry.memory);
  const certain = smaller.filter((each) => verdict(each).kind === 'fits');
  // Where a browser says nothing of memory, nothing is certain.
  const others = certain.length > 0 ? certain : smaller.filter((each) => isOnlyUnknown(verdict(each)));
  // The same model in fewer bits comes first; else the largest that chats here.
  const same = others.filter(({ name }) => name === entry.name);
  const [instead] = (same.length > 0 ? same : others.filter(({ chats, unconfirmed }) => chats && !unconfirmed)).sort((a, b) => b.bytes - a.bytes);
  return instead;
}

function isOnlyUnknown(verdict: Verdict): boolean {
  return verdict.kind === 'doubt' && verdict.doubts.every(({ code }) => code === 'memory-unknown');
}

/** What fits in place of a refused model, as a sentence. */
export function insteadText({ instead }: Offer): string {
  return instead ? fill(modelStrings.offerInstead, { name: instead.name, type: instead.type, size: formatBytes(instead.bytes) }) : modelStrings.offerNothing;
}

export function refusal(offer: Offer): MambaError {
  const { entry: { name, type, bytes, memory }, verdict } = offer;
  const { code, needed, available = 0 }: Refusal = verdict.kind === 'refused' ? verdict.why : { code: 'memory', needed: memory };
  return failure(`refused-${code}`, {
    name, type, size: formatBytes(bytes), needed: formatBytes(needed), instead: insteadText(offer),
    available: code === 'memory' ? memoryText(available) : formatBytes(available),
  });
}

/** Memory as browsers say it: in units of 1024³ bytes. */
export function memoryText(bytes: number): string {
  return `${bytes / 1024 ** 3} GB`;
}
