/** Ranges of a kept model, as the engine reads them. */
import { expect, test, vi } from 'vitest';
import { newModel } from '../engine/src/store/model-record';
import { storedFiles } from '../engine/src/store/stored-file';
import { CHUNK, emptyStore, ggufBytes } from './browser';

test('readers at several places, as several workers are, have each chunk fetched once', async () => {
  const { store } = await emptyStore();
  const bytes = ggufBytes(6 * CHUNK);
  const model = newModel('u', 'm', null, [{ name: 'm', url: 'u', length: bytes.length }], 0, CHUNK);
  for (let index = 0; index < 6; index += 1) await store.putChunk(['u', 0, index], bytes.slice(index * CHUNK, (index + 1) * CHUNK), model);
  const fetched = vi.spyOn(store, 'chunk');
  const [file] = await storedFiles(store, model);
  const piece = CHUNK / 8;
  for (let at = 0; at < 2 * CHUNK; at += piece) {
    const places = [0, 1, 2].map((reader) => reader * 2 * CHUNK + at);
    expect(await Promise.all(places.map((place) => file?.read(place, piece)))).toEqual(places.map((place) => bytes.slice(place, place + piece)));
  }
  expect(fetched).toHaveBeenCalledTimes(6);
});
