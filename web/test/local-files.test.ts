/** Files that come from and go to the visitor, over stand-ins of the browser's windows, which no test can press. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

type LocalFiles = typeof import('../src/base/view/local-files');
const pressed: string[] = [];
const handle = (name: string) => ({ kind: 'file', name, getFile: async () => new File(['x'], name) }) as unknown as FileSystemFileHandle;

/** A folder that only knows its names. */
function folder(names: Set<string>): FileSystemDirectoryHandle {
  return {
    kind: 'directory',
    getFileHandle: async (name: string) => (names.add(name), handle(name)),
    getDirectoryHandle: async () => folder(names),
    removeEntry: async (name: string) => void (name === 'web-mamba exports' ? names.clear() : names.delete(name)),
  } as unknown as FileSystemDirectoryHandle;
}

/** The module as a page of such a browser has it. */
async function page(pickers: object, names = new Set<string>()): Promise<LocalFiles> {
  vi.stubGlobal('window', pickers);
  vi.stubGlobal('document', { createElement: () => ({ click: () => pressed.push('download') }) });
  const request = async (_: string, { ifAvailable }: { ifAvailable?: boolean }, work: (lock: unknown) => unknown) => ifAvailable && work({});
  vi.stubGlobal('navigator', { storage: { getDirectory: async () => folder(names) }, locks: { request } });
  return import('../src/base/view/local-files');
}

beforeEach(() => {
  pressed.length = 0;
  vi.resetModules();
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('the parts of a split set go into one folder, for which the visitor is asked once', async () => {
  const names = new Set<string>();
  const pickers = { showSaveFilePicker: async () => (pressed.push('file'), handle('a')), showDirectoryPicker: async () => (pressed.push('folder'), folder(names)) };
  const { exportFiles } = await page(pickers);
  expect((await exportFiles(['a', 'b']))?.map((file) => file.handle.name)).toEqual(['a', 'b']);
  expect((await exportFiles(['c']))?.length).toBe(1);
  expect(pressed).toEqual(['folder', 'file']);
  expect([...names]).toEqual(['a', 'b']);
});

test('a window that the visitor closes is no error, and one that the browser refuses is', async () => {
  const closed = { showSaveFilePicker: () => Promise.reject(new DOMException('', 'AbortError')) };
  expect(await (await page(closed)).exportFiles(['a'])).toBeUndefined();
  vi.resetModules();
  const refused = { showSaveFilePicker: () => Promise.reject(new DOMException('', 'SecurityError')) };
  await expect((await page(refused)).exportFiles(['a'])).rejects.toMatchObject({ name: 'SecurityError' });
});

test('of the files that a visitor picks it is said that they cannot be had, and not that the window was closed', async () => {
  const picked = (getFile: () => Promise<File>) => page({ showOpenFilePicker: async () => [{ kind: 'file', name: 'm.gguf', getFile }] });
  const { pickFiles } = await picked(async () => new File(['x'], 'm.gguf'));
  expect(await pickFiles()).toMatchObject({ files: [{ name: 'm.gguf' }], handles: [{ name: 'm.gguf' }] });
  for (const name of ['NotFoundError', 'AbortError']) {
    vi.resetModules();
    const gone = await picked(() => Promise.reject(new DOMException('', name)));
    await expect(gone.pickFiles()).rejects.toMatchObject({ name });
  }
  vi.resetModules();
  const closed = await page({ showOpenFilePicker: () => Promise.reject(new DOMException('', 'AbortError')) });
  expect(await closed.pickFiles()).toBeNull();
});

test('without such windows a copy is downloaded, and does not stay', async () => {
  const names = new Set<string>();
  const { exportFiles, forgetCopies } = await page({}, names);
  const [file] = (await exportFiles(['a'])) ?? [];
  await file?.finish();
  expect([pressed, [...names]]).toEqual([['download'], ['a']]);
  await vi.advanceTimersByTimeAsync(3_600_001);
  expect(names.size).toBe(0);
  names.add('left by a page that was closed');
  await forgetCopies();
  expect(names.size).toBe(0);
});

test('dropped files whose handles the browser withholds are taken without them', async () => {
  const { droppedFiles } = await page({});
  const file = new File(['x'], 'm.gguf');
  const withheld = { kind: 'file', getAsFileSystemHandle: () => Promise.reject(new DOMException('', 'NotAllowedError')) };
  const data = { files: [file], items: [withheld] } as unknown as DataTransfer;
  expect(await droppedFiles(data)).toEqual({ files: [file] });
});
