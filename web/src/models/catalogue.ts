/** The models that the page offers by itself, from `web/models.json`: some models, each in a few quantisations. */
import { sourceKey, type GenerateOptions, type RemoteSource } from 'web-mamba';
import models from '../../models.json';

export interface Licence {
  name: string;
  /** Address of its text, relative to the page. */
  link: string;
  /** Its makers ask that it is accepted before use. */
  accept?: boolean;
}

interface CatalogueModel {
  name: string;
  note: string;
  /** One line on what it is for, shown where a chat begins. */
  goodFor?: string;
  /** Whether it is up to summaries of a text and to questions about one. */
  summaries: boolean;
  /** Whether it does as a system prompt says. */
  roles: boolean;
  /**
   * Id of the entry that has taken its place. It is no longer offered and its file is gone from the server; a copy that a browser keeps
   * has its name, its settings and its limits as before.
   */
  replacedBy?: string;
  /** Tokens that the model was trained on at once. */
  context: number;
  licence: Licence;
  /** It chats: it was tuned to answer. */
  chats?: true;
  /** Address of the page about the model. */
  page: string;
  /** One honest sentence, shown where a chat begins. */
  limits?: string;
  /** Address of the model card, relative to the page. */
  card?: string;
  sampling?: GenerateOptions;
  /** First prompts, each tried with this very model and no system prompt; none for a model that answers no questions. */
  prompts: string[];
}

interface CatalogueFile {
  id: string;
  /** Type of its quantisation. */
  type: string;
  /** Addresses of all parts, relative to the page. */
  urls?: string[];
  /** A file of the hub, which knows its exact size and hash. */
  hub?: { repo: string; file: string };
  /** No public listing was seen that has it; its name follows from those that were. The hub is asked before it is offered as certain. */
  unconfirmed?: true;
  /** The usual quantisation of a model that a first visit may be offered. */
  offered?: true;
  /** Bytes to download; rounded where the hub says them exactly. */
  bytes: number;
  /** What it requires of a device (`ModelRequirements` of the engine); `scripts/catalogue` fills it in. */
  memory: number;
  largestBinding: number;
  ranks: number;
}

/** One file of the catalogue, with what holds for its model. */
export interface CatalogueEntry extends CatalogueModel, CatalogueFile {}

const entries: readonly CatalogueEntry[] = (models as (CatalogueModel & { files: CatalogueFile[] })[]).flatMap(
  ({ files, ...model }) => files.map((file) => ({ ...model, ...file })),
);

/** What is offered; the first of it is what a first visit opens. */
export const catalogue = entries.filter(({ replacedBy }) => replacedBy === undefined);

/** Earlier versions of what is offered. */
export const replaced = entries.filter(({ replacedBy }) => replacedBy !== undefined);

export function entrySource({ name, urls = [], hub }: CatalogueEntry, base: string): RemoteSource {
  if (hub) return { kind: 'hub', revision: 'main', ...hub };
  return { kind: 'address', name, urls: urls.map((url) => new URL(url, base).href) };
}

/** The entry that has this key in the store, also where another has taken its place. */
export function entryOf(key: string, base: string): CatalogueEntry | undefined {
  return entries.find((entry) => sourceKey(entrySource(entry, base)) === key);
}

export function entryById(id: string): CatalogueEntry | undefined {
  return entries.find((entry) => entry.id === id);
}

/** The entry that has taken the place of this one. */
export function newerOf({ replacedBy }: CatalogueEntry): CatalogueEntry | undefined {
  return catalogue.find(({ id }) => id === replacedBy);
}
