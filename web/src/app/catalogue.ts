/** The models that the page offers by itself, from `web/models.json`. */
import entries from '../../models.json';
import type { GenerateOptions } from '../engine/protocol';
import type { ModelSource } from '../weights/model-source';

export interface CatalogueEntry {
  id: string;
  name: string;
  /** Addresses of all parts, relative to the page. */
  urls: string[];
  bytes: number;
  note: string;
  /** One honest sentence, shown where a chat begins. */
  limits?: string;
  /** Address of the model card, relative to the page. */
  card?: string;
  sampling?: GenerateOptions;
  /** First prompts that suit the model. */
  prompts?: string[];
}

export const catalogue: readonly CatalogueEntry[] = entries;

export function entrySource(entry: CatalogueEntry, base: string): ModelSource {
  return { kind: 'address', name: entry.name, urls: entry.urls.map((url) => new URL(url, base).href) };
}

/** The entry whose first file has this address. */
export function entryOf(url: string, base: string): CatalogueEntry | undefined {
  return catalogue.find((entry) => new URL(entry.urls[0] ?? '', base).href === url);
}
