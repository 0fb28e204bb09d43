/** What this page keeps on this device, by kinds, with sizes: all of it, so that nothing is a secret. */
import type { EngineWorker } from 'web-mamba';
import type { AppDatabase } from '../data/app-database';

export const keptKinds = ['models', 'states', 'conversations', 'documents', 'settings', 'files'] as const;
export type KeptKind = (typeof keptKinds)[number];

export interface KeptRow {
  kind: KeptKind;
  count: number;
  bytes: number;
}

export interface KeptParts {
  engine: Pick<EngineWorker, 'stored' | 'keptStates'>;
  database: Pick<AppDatabase, 'getAll'>;
  /** Sizes of the page's own files that are kept for times without a network. */
  files(): Promise<number[]>;
}

/** What can't be asked for counts as nothing. */
export async function keptHere({ engine, database, files }: KeptParts): Promise<KeptRow[]> {
  const rows: Record<KeptKind, () => Promise<Omit<KeptRow, 'kind'>>> = {
    // What is read in place lies elsewhere on this computer, and not in the browser.
    models: async () => sum((await engine.stored()).map(({ stored, inPlace }) => (inPlace ? 0 : stored))),
    states: () => engine.keptStates(),
    conversations: async () => sum((await database.getAll('conversations')).map(bytesOf)),
    documents: async () => {
      const [documents, texts, summaries, questions] = await Promise.all(
        (['documents', 'texts', 'summaries', 'questions'] as const).map((name) => database.getAll(name) as Promise<unknown[]>),
      );
      return { count: documents?.length ?? 0, bytes: sum([documents, texts, summaries, questions].flat().map(bytesOf)).bytes };
    },
    settings: async () => sum((await database.getAll('settings')).map(bytesOf)),
    files: async () => sum(await files()),
  };
  return Promise.all(keptKinds.map(async (kind) => ({ kind, ...(await rows[kind]().catch(() => sum([]))) })));
}

function sum(sizes: readonly number[]): { count: number; bytes: number } {
  return { count: sizes.length, bytes: sizes.reduce((total, bytes) => total + bytes, 0) };
}

/** As text; what the browser takes for it is about as much. */
function bytesOf(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value) ?? '').length;
}
