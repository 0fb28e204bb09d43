/** Which model the page's address asks for. */
import { addressSource, isFileKey, modelName, sourceKey, sourceName, storedName, type ModelSource } from 'web-mamba';
import { catalogue, entryById, entryOf, entrySource, replaced, type CatalogueEntry } from './catalogue';

export interface Choice {
  source: ModelSource;
  name: string;
  entry: CatalogueEntry | undefined;
  /** What `?model=` holds for this choice; null for the first of the catalogue. */
  param: string | null;
  /** Earlier versions that may stand in for it where nobody has named a model. */
  earlier?: readonly Choice[];
  /** Nobody has chosen it here: the page's address names it, which anyone may have written. */
  linked?: boolean;
}

export function chooseEntry(entry: CatalogueEntry, base: string): Choice {
  return { source: entrySource(entry, base), name: entry.name, entry, param: entry === catalogue[0] ? null : entry.id };
}

/** Throws the failure `address` where `param` is none. */
export function chooseParam(param: string | null, base: string): Choice {
  const entry = param === null ? catalogue[0] : entryById(param);
  if (!entry) return { ...chooseAddress(param ?? '', base), linked: true };
  return { ...chooseEntry(entry, base), ...(param === null ? { earlier: earlierOf(entry, base) } : {}) };
}

function earlierOf({ id }: CatalogueEntry, base: string): Choice[] {
  return replaced.filter(({ replacedBy }) => replacedBy === id).map((entry) => ({ ...chooseEntry(entry, base), param: null }));
}

export function chooseAddress(typed: string, base: string): Choice {
  if (isFileKey(typed)) return chooseStored(typed, storedName(typed));
  const source = addressSource(typed, base);
  const entry = entryOf(sourceKey(source), base);
  if (entry) return chooseEntry(entry, base);
  return { source, name: sourceName(source), entry: undefined, param: typed };
}

export function chooseStored(url: string, name: string, base?: string): Choice {
  // A model of the catalogue keeps its prompts and settings, wherever it is opened from.
  const entry = base === undefined ? undefined : entryOf(url, base);
  if (entry && base !== undefined) return chooseEntry(entry, base);
  return { source: { kind: 'stored', url }, name, entry: undefined, param: url };
}

export function chooseFiles(files: File[], handles?: FileSystemFileHandle[]): Choice {
  return { source: { kind: 'files', files, ...(handles ? { handles } : {}) }, name: modelName(files[0]?.name ?? ''), entry: undefined, param: null };
}
