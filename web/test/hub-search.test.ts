/** Search of the hub, against answers shaped as the hub's are, and as they are not. */
import { expect, test } from 'vitest';
import { searchHub } from '../src/models/hub-search';

const SIGNAL = new AbortController().signal;

function hub(found: unknown, trees: Record<string, unknown>) {
  const asked: string[] = [];
  const fetchJson = async (url: string) => {
    asked.push(url);
    if (url.includes('?search=')) return found;
    const repo = /models\/([^?]+)\/tree/.exec(url)?.[1] ?? '';
    if (!(repo in trees)) throw new Error('404');
    return trees[repo];
  };
  return { asked, fetchJson };
}

test('files of the architectures that run are found, with their sizes, the parts of a set together', async () => {
  const { asked, fetchJson } = hub(
    [{ id: 'a/mamba-GGUF', gguf: { architecture: 'mamba' } }, { id: 'b/llama-GGUF', gguf: { architecture: 'llama' } }, { id: 'c/none' }],
    { 'a/mamba-GGUF': [
      { type: 'file', path: 'm-Q8_0.gguf', size: 900 }, { type: 'file', path: 'sub/m Q4.gguf', size: 500 }, { type: 'file', path: 'README.md', size: 9 }, { type: 'directory', path: 'x.gguf', size: 9 },
      { type: 'file', path: 'm-00001-of-00002.gguf', size: 300 }, { type: 'file', path: 'm-00002-of-00002.gguf', size: 400 }, { type: 'file', path: 'lost-00002-of-00002.gguf', size: 400 },
    ] },
  );
  const models = await searchHub(' mamba 3B ', 800, SIGNAL, fetchJson);
  expect(asked[0]).toContain('search=mamba%203B&filter=gguf');
  expect(asked).toHaveLength(2);
  expect(models).toMatchObject([{ repo: 'a/mamba-GGUF', page: 'https://huggingface.co/a/mamba-GGUF' }]);
  expect(models[0]?.files.map(({ name, bytes, tooLarge }) => [name, bytes, tooLarge])).toEqual([['m Q4.gguf', 500, false], ['m-00001-of-00002.gguf', 700, false], ['m-Q8_0.gguf', 900, true]]);
  expect(models[0]?.files[0]?.address).toBe('https://huggingface.co/a/mamba-GGUF/resolve/main/sub/m%20Q4.gguf');
});

test.each([null, {}, 'x', [null, 7, { id: 7, gguf: { architecture: 'mamba' } }, { id: 'a/../..', gguf: { architecture: 'mamba' } }, { id: 'a/b/c', gguf: { architecture: 'mamba' } }, { id: 'a/b', gguf: null }]])(
  'of an answer that is none, nothing is found', async (found) => expect(await searchHub('x', undefined, SIGNAL, hub(found, {}).fetchJson)).toEqual([]));

test('a hub that gives no answer is said, with a remedy', async () => {
  await expect(searchHub('x', undefined, SIGNAL, async () => Promise.reject(new TypeError('Failed to fetch')))).rejects.toMatchObject({ code: 'hub-search', remedy: expect.stringContaining('connection') as string });
});
