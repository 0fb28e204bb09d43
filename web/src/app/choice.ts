/** Which model the page's address asks for. */
import { addressSource, modelName, type ModelSource } from '../weights/model-source';
import { catalogue, entryOf, entrySource, type CatalogueEntry } from './catalogue';

export interface Choice {
  source: ModelSource;
  name: string;
  entry: CatalogueEntry | undefined;
  /** What `?model=` holds for this choice; null for the first of the catalogue. */
  param: string | null;
}

export function chooseEntry(entry: CatalogueEntry, base: string): Choice {
  return { source: entrySource(entry, base), name: entry.name, entry, param: entry === catalogue[0] ? null : entry.id };
}

/** Throws the failure `address` where `param` is none. */
export function chooseParam(param: string | null, base: string): Choice {
  const entry = param === null ? catalogue[0] : catalogue.find(({ id }) => id === param);
  if (entry) return chooseEntry(entry, base);
  return chooseAddress(param ?? '', base);
}

export function chooseAddress(typed: string, base: string): Choice {
  if (typed.startsWith('file:')) return chooseStored(typed, storedName(typed));
  const source = addressSource(typed, base);
  const entry = source.kind === 'address' ? entryOf(source.urls[0] ?? '', base) : undefined;
  if (entry) return chooseEntry(entry, base);
  return { source, name: source.kind === 'address' ? source.name : typed, entry: undefined, param: typed };
}

export function chooseStored(url: string, name: string): Choice {
  return { source: { kind: 'stored', url }, name, entry: undefined, param: url };
}

export function chooseFiles(files: File[]): Choice {
  return { source: { kind: 'files', files }, name: modelName(files[0]?.name ?? ''), entry: undefined, param: null };
}

/** The file's name within a key made by `fileKey`. */
function storedName(key: string): string {
  try {
    return modelName(decodeURIComponent(key.split(':')[1] ?? key));
  } catch {
    return key;
  }
}
