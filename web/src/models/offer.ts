/** The catalogue's models before this device: which it can hold, and what to take in place of one that it cannot. */
import { sourceKey, type FitDoubt, type FitProblem, type FitReason, type FitVerdict, type StoredModel } from 'web-mamba';
import { failure, type MambaError } from '../base/failure';
import { fill, formatBytes, formatRate, formatRemaining } from '../base/format';
import type { Device } from './capability';
import { catalogue, entrySource, type CatalogueEntry } from './catalogue';
import type { Situation } from './fits';
import { modelStrings } from './model-strings';

/** Why a model is refused, with numbers in bytes. Room is the page's to know, the rest the engine's. */
export type Refusal = { code: FitProblem | 'storage' } & Omit<FitReason<FitProblem>, 'code'>;

/** Why it may not do: what the engine doubts, and what the page knows of phones and of speeds. Numbers are bytes. */
export type Doubt = FitReason<FitDoubt> | { code: 'phone' | 'speed-unknown'; needed: number };

/** What a model takes of time here, as far as it was measured. */
export interface Cost {
  /** Seconds of its download, or of what is still to come of it. */
  download: number | undefined;
  /** Tokens per second. */
  rate: number | undefined;
}

/** How long so many bytes take, and how fast a model would be where it runs. */
export interface Measured {
  seconds(bytes: number): number | undefined;
  rate(entry: CatalogueEntry, backend: 'cpu' | 'webgpu'): number | undefined;
}

/** Whether this device can hold a model; unknown until the engine has said it. */
export type Verdict =
  | { kind: 'unknown' }
  | { kind: 'fits' }
  | { kind: 'doubt'; doubts: readonly Doubt[] }
  | { kind: 'refused'; why: Refusal };

export interface Offer {
  entry: CatalogueEntry;
  verdict: Verdict;
  /** It is in this browser already: nothing is to be downloaded. */
  kept: boolean;
  cost: Cost;
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
/** Slower than one reads, by far. */
const SLOW_RATE = 2;
/** Browsers of phones end a page that takes much more memory than this, however much the phone has. */
const PHONE_BYTES = 1.2e9;
/** What may be offered where data are dear. */
const METERED_BYTES = 1e9;
/** Until anything was measured, nothing is known. */
const UNMEASURED: Measured = { seconds: () => undefined, rate: () => undefined };

/**
 * The offer of a first visit: the most capable model that this device certainly holds; where none is certain, the smallest that may do; where
 * none does, the most capable one, refused.
 */
export function bestOffer({ gpu, metered }: Pick<Device, 'gpu' | 'metered'>, judged: (entry: CatalogueEntry) => Offer | undefined): Offer | undefined {
  const all = offers.flatMap((entry) => judged(entry) ?? []);
  const fast = ({ entry, cost: { rate } }: Offer) => (rate === undefined ? gpu !== undefined || entry.bytes <= PROCESSOR_BYTES : rate >= SLOW_RATE);
  const good = all.find((each) => each.kept || (each.verdict.kind === 'fits' && fast(each) && (!metered || each.entry.bytes <= METERED_BYTES)));
  return good ?? all.findLast(({ verdict }) => verdict.kind === 'doubt') ?? all[0];
}

/** `fits` is undefined until it is known. */
export function offerOf(entry: CatalogueEntry, { device, fits }: { device: Device; fits?: Situation['fits'] | undefined }, stored: readonly Kept[], base: string, measured = UNMEASURED): Offer {
  const judged = (each: CatalogueEntry) => {
    const there = stored.find(({ url }) => url === sourceKey(entrySource(each, base)));
    const toCome = Math.max(0, each.bytes - (there?.stored ?? 0));
    const fit = fits?.get(each.id);
    const cost = { download: measured.seconds(toCome), rate: fit && measured.rate(each, fit.backend === 'cpu' ? 'cpu' : 'webgpu') };
    return { kept: there?.complete ?? false, cost, verdict: verdictOf({ entry: each, fit, toCome, rate: cost.rate }, device) };
  };
  const { kept, cost, verdict } = judged(entry);
  return { entry, verdict, kept, cost, instead: verdict.kind === 'refused' ? insteadOf(entry, (each) => judged(each).verdict) : undefined };
}

/** What is to come must have room, which only the page knows of; the rest is the engine's verdict. */
function verdictOf({ entry, fit, toCome, rate }: { entry: CatalogueEntry; fit: FitVerdict | undefined; toCome: number; rate: number | undefined }, { storage, phone }: Device): Verdict {
  if (storage !== undefined && toCome > storage) return { kind: 'refused', why: { code: 'storage', needed: toCome, available: storage } };
  if (!fit) return { kind: 'unknown' };
  if (!fit.fits) return { kind: 'refused', why: fit.problem ?? { code: 'memory', needed: 0 } };
  const { memory: needed } = entry;
  const doubts: Doubt[] = fit.doubts.flatMap((doubt): Doubt[] => (doubt.code === 'slow' ? slowness(doubt, rate) : [doubt]));
  if (phone && needed > PHONE_BYTES) doubts.push({ code: 'phone', needed });
  return doubts.length > 0 ? { kind: 'doubt', doubts } : { kind: 'fits' };
}

/** The engine goes by size; whether it is slow says what was measured. */
function slowness(doubt: FitReason<FitDoubt>, rate: number | undefined): Doubt[] {
  if (rate === undefined) return [{ code: 'speed-unknown', needed: doubt.needed }];
  return rate < SLOW_RATE ? [doubt] : [];
}

/** The same for one file among many. */
export function shortCostText({ cost: { download, rate }, kept }: Pick<Offer, 'cost' | 'kept'>): string {
  const coming = download === undefined ? modelStrings.downloadUnknownShort : fill(modelStrings.downloadShort, { time: formatRemaining(download) });
  return [...(kept ? [] : [coming]), rate === undefined ? modelStrings.rateUnknownShort : fill(modelStrings.rateShort, { rate: formatRate(rate) })].join(', ');
}

/** What a model takes of time here, as a line; what was not measured is said to be unknown. */
export function costText({ cost: { download, rate }, kept }: Pick<Offer, 'cost' | 'kept'>): string {
  const coming = download === undefined ? modelStrings.downloadUnknown : fill(modelStrings.downloadTime, { time: formatRemaining(download) });
  const speed = rate === undefined ? modelStrings.rateUnknown : fill(modelStrings.rateHere, { rate: formatRate(rate) });
  const line = [...(kept ? [] : [coming]), speed].join(' · ');
  return line.charAt(0).toUpperCase() + line.slice(1);
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
