import { expect, test } from 'vitest';
import { addressSource, fileParts, modelName, partUrls, sourceKey, sourceName, safeName } from '../engine/src/store/model-source';

const BASE = 'http://192.168.1.7:8080/chat/';

test.each([
  ['https://example.org/a/b.gguf', 'https://example.org/a/b.gguf'],
  [' models/b.gguf ', 'http://192.168.1.7:8080/chat/models/b.gguf'],
  ['http://127.0.0.1:99/b.gguf#part', 'http://127.0.0.1:99/b.gguf'],
  ['http://localhost/b.gguf?download=true', 'http://localhost/b.gguf?download=true'],
])('%s is accepted', (typed, url) => expect(addressSource(typed, BASE)).toMatchObject({ kind: 'address', urls: [url] }));

test.each(['', '   ', 'http://example.org/b.gguf', 'http://127.0.0.1.example.org/b.gguf', 'javascript:alert(1)', 'data:,GGUF', 'ftp://example.org/b.gguf', 'https://'])(
  '%j is refused',
  (typed) => expect(() => addressSource(typed, BASE)).toThrow(expect.objectContaining({ code: 'address' })),
);

test('any part of a split set names all of them', () => {
  const urls = partUrls(new URL('https://example.org/m-00002-of-00003.gguf?x=1'));
  expect(urls).toEqual([1, 2, 3].map((part) => `https://example.org/m-0000${part}-of-00003.gguf?x=1`));
  expect(addressSource('https://example.org/m-00002-of-00003.gguf', BASE)).toMatchObject({ name: 'm' });
  expect(modelName('falcon%20mamba-Q4_K.gguf')).toBe('falcon%20mamba-Q4_K');
});

test.each([
  ['https://huggingface.co/acme/mamba/resolve/main/m.gguf?download=true', 'm.gguf'],
  ['https://huggingface.co/acme/mamba/blob/main/a%20b/m.gguf', 'a b/m.gguf'],
  ['https://huggingface.co/acme/mamba/blob/main/m-00002-of-00003.gguf', 'm-00001-of-00003.gguf'],
])('%s is a file of the hub', (typed, file) => {
  const source = addressSource(typed, BASE);
  expect(source).toEqual({ kind: 'hub', repo: 'acme/mamba', revision: 'main', file });
  expect(addressSource(sourceKey(source), BASE)).toEqual(source);
});

test('a manifest is known by its name', () => {
  const source = addressSource('https://example.org/m.manifest.json', BASE);
  expect(source).toEqual({ kind: 'manifest', url: 'https://example.org/m.manifest.json' });
  expect([sourceKey(source), sourceName(source)]).toEqual(['https://example.org/m.manifest.json', 'm']);
});

test('an absurd number of parts is taken for a plain name', () => {
  expect(partUrls(new URL('https://example.org/m-00001-of-99999.gguf'))).toHaveLength(1);
});

test('local parts are sorted, and must be one whole set', () => {
  const file = (name: string) => new File([], name);
  const sorted = fileParts([file('m-00002-of-00002.gguf'), file('m-00001-of-00002.gguf')]);
  expect(sorted.map(({ name }) => name)).toEqual(['m-00001-of-00002.gguf', 'm-00002-of-00002.gguf']);
  for (const names of [['m-00001-of-00002.gguf'], ['m-00001-of-00002.gguf', 'n-00002-of-00002.gguf'], ['a.gguf', 'b.gguf']]) {
    expect(() => fileParts(names.map(file))).toThrow(expect.objectContaining({ code: 'split' }));
  }
});

test.each([
  ['m-00001-of-00002.gguf', 'm-00001-of-00002.gguf'],
  ['../../etc/passwd', '_.._etc_passwd'],
  ['a:b?c*.gguf', 'a_b_c_.gguf'],
  ['..', 'model.gguf'],
  ['', 'model.gguf'],
  [`${'x'.repeat(300)}.gguf`, `${'x'.repeat(115)}.gguf`],
])('a part named %j is saved as %j', (name, saved) => expect(safeName(name)).toBe(saved));
