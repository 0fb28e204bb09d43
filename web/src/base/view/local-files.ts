/** Files that the visitor picks, drops or receives. Handles are asked for where the browser has them, so that files can be read in place. */
import type { ChosenFiles, ExportFile, TextFile } from '../files';

/** Interfaces that not every browser has. */
interface FilePickers {
  showOpenFilePicker?(options: object): Promise<FileSystemFileHandle[]>;
  showSaveFilePicker?(options: object): Promise<FileSystemFileHandle>;
  showDirectoryPicker?(options: object): Promise<FileSystemDirectoryHandle>;
}
interface Permission {
  requestPermission?(options: { mode: 'read' }): Promise<PermissionState>;
  queryPermission?(options: { mode: 'read' }): Promise<PermissionState>;
}
interface HandleItem {
  getAsFileSystemHandle?(): Promise<FileSystemHandle | null>;
}

const pickers = window as unknown as FilePickers;
const GGUF = [{ description: 'GGUF', accept: { 'application/octet-stream': ['.gguf'] } }];

/** Opens the browser's picker that gives handles; undefined where there is none, null when the visitor closed it. */
export function pickFiles(): Promise<ChosenFiles | null> | undefined {
  const picking = pickers.showOpenFilePicker?.({ multiple: true, types: GGUF, excludeAcceptAllOption: false });
  return picking?.catch(closed).then((handles) => handles && withFiles(handles));
}

/** What was dropped, with handles where the browser gives them. Items are only there until the event ends, so they are taken at once. */
export async function droppedFiles(data: DataTransfer): Promise<ChosenFiles> {
  const files = [...data.files];
  const handles = [...data.items].filter(({ kind }) => kind === 'file').map((item) => (item as HandleItem).getAsFileSystemHandle?.());
  // Without the handles, the files themselves can still be copied.
  const found = (await Promise.all(handles).catch(() => [])).filter((handle) => handle?.kind === 'file') as FileSystemFileHandle[];
  return found.length === files.length && found.length > 0 ? { files, handles: found } : { files };
}

/** Asks for leave to read files in place. Needs a press of the visitor's; without one the browser may refuse, and reading says so. */
export async function permit(handles: readonly FileSystemFileHandle[]): Promise<void> {
  for (const handle of handles as readonly (FileSystemFileHandle & Permission)[]) {
    if ((await handle.queryPermission?.({ mode: 'read' })) === 'granted') continue;
    await handle.requestPermission?.({ mode: 'read' }).catch(() => 'denied');
  }
}

/**
 * Places for the files of an export: one that the visitor picks, a folder for several or, where browsers have no such pickers, the page's
 * own file system and downloads from there. Undefined where the visitor thinks better of it.
 */
export async function exportFiles(names: readonly string[]): Promise<ExportFile[] | undefined> {
  // A picker opens once for a press, so several files go into one folder.
  const picking = names.length > 1
    ? pickers.showDirectoryPicker?.({ mode: 'readwrite' })
    : pickers.showSaveFilePicker?.({ suggestedName: names[0], types: GGUF });
  if (!picking) return Promise.all(names.map(exportCopy));
  const place = await (picking as Promise<FileSystemHandle>).catch(closed);
  if (!place) return undefined;
  const handles = await Promise.all(
    place.kind === 'file' ? [place as FileSystemFileHandle] : names.map((name) => (place as FileSystemDirectoryHandle).getFileHandle(name, { create: true })),
  );
  return handles.map((handle) => ({ handle, finish: async () => undefined }));
}

/**
 * Copies that were made to be downloaded lie here, apart from all else. The folder is the origin's: under a name that another project
 * could have taken, its files would be deleted with the copies.
 */
const COPIES = 'web-mamba exports';
const COPIES_LOCK = 'web-mamba exports';
/** A download of gigabytes from one place of a disk to another takes minutes. */
const COPY_MILLISECONDS = 3_600_000;

async function exportCopy(name: string): Promise<ExportFile> {
  const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(COPIES, { create: true });
  const forget = () => folder.removeEntry(name).catch(() => undefined);
  // What an earlier export left here has long been downloaded.
  await forget();
  const handle = await folder.getFileHandle(name, { create: true });
  // Held as long as this page lives: only then are the copies of no use.
  void navigator.locks?.request(COPIES_LOCK, { mode: 'shared' }, () => new Promise(() => undefined)).catch(() => undefined);
  return {
    handle,
    finish: async () => {
      saveFile(name, await handle.getFile());
      setTimeout(() => void forget(), COPY_MILLISECONDS);
    },
  };
}

/** Deletes the copies that pages left which are closed now. */
export async function forgetCopies(): Promise<void> {
  const { locks, storage } = navigator;
  if (!locks || !storage?.getDirectory) return;
  await locks.request(COPIES_LOCK, { ifAvailable: true }, async (lock) => {
    if (lock) await (await storage.getDirectory()).removeEntry(COPIES, { recursive: true });
  }).catch(() => undefined);
}

/** Hands a text to the visitor, into the browser's folder for downloads. */
export function saveText({ name, type, text }: TextFile): void {
  saveFile(name, new Blob([text], { type }));
}

/** A download of what the page has made. */
export function saveFile(name: string, file: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  // The browser has opened the file by then; a link that lives on would keep it in memory.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

async function withFiles(handles: FileSystemFileHandle[]): Promise<ChosenFiles> {
  return { files: await Promise.all(handles.map((handle) => handle.getFile())), handles };
}

function closed(thrown: unknown): null {
  if ((thrown as Error).name === 'AbortError') return null;
  throw thrown;
}
