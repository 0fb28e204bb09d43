/** What stays on the device is counted by kinds; what can't be asked for counts as nothing. */
import { expect, test } from 'vitest';
import { keptHere, type KeptParts } from '../src/page/kept';

const tables: Record<string, unknown[]> = {
  conversations: [{ id: '1', title: 'ä' }], documents: [{ id: 'd' }], texts: [{ id: 'd', text: 'x'.repeat(1000) }], summaries: [], questions: [{ id: 'q' }], settings: ['born', { temperature: 1 }],
};
const parts = {
  engine: { stored: async () => [{ stored: 100 }, { stored: 50, inPlace: true }], keptStates: async () => ({ count: 3, bytes: 600 }) },
  database: { getAll: async (name: string) => tables[name] },
  files: async () => [10, 20],
} as unknown as KeptParts;

test('every kind has its number and its bytes', async () => {
  const rows = Object.fromEntries((await keptHere(parts)).map(({ kind, count, bytes }) => [kind, [count, bytes]]));
  expect(rows).toEqual({
    models: [2, 100], states: [3, 600], conversations: [1, '{"id":"1","title":"ä"}'.length + 1], documents: [1, 1000 + '{"id":"d"}{"id":"d","text":""}{"id":"q"}'.length], settings: [2, 6 + 17], files: [2, 30],
  });
});

test('where the browser gives no database, the rest is counted all the same', async () => {
  const refused = { ...parts, database: { getAll: () => Promise.reject(new Error('closed')) } } as unknown as KeptParts;
  const rows = await keptHere(refused);
  expect(rows.map(({ count }) => count)).toEqual([2, 3, 0, 0, 0, 2]);
});
