/** Files that the visitor picks, drops or receives. Handles are asked for where the browser has them, so that files can be read in place. */
import type { TextFile } from '../app/conversation-files';
import type { ChosenFiles, ExportFile } from '../app/page-data';

/** Interfaces that not every browser has. */
interface FilePickers {
  showOpenFilePicker?(options: object): Promise<FileSystemFileHandle[]>;
  showSaveFilePicker?(options: object): Promise<FileSystemFileHandle>;
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
  return picking?.then(withFiles).catch(closed);
}

/** What was dropped, with handles where the browser gives them. Items are only there until the event ends, so they are taken at once. */
export async function droppedFiles(data: DataTransfer): Promise<ChosenFiles> {
  const files = [...data.files];
  const handles = [...data.items].filter(({ kind }) => kind === 'file').map((item) => (item as HandleItem).getAsFileSystemHandle?.());
  const found = (await Promise.all(handles)).filter((handle) => handle?.kind === 'file') as FileSystemFileHandle[];
  return found.length === files.length && found.length > 0 ? { files, handles: found } : { files };
}

/** Asks for leave to read files in place. Needs a press of the visitor's; without one the browser may refuse, and reading says so. */
export async function permit(handles: readonly FileSystemFileHandle[]): Promise<void> {
  for (const handle of handles as readonly (FileSystemFileHandle & Permission)[]) {
    if ((await handle.queryPermission?.({ mode: 'read' })) === 'granted') continue;
    await handle.requestPermission?.({ mode: 'read' }).catch(() => 'denied');
  }
}

/** A place for an export: one that the visitor picks or, where browsers have no such picker, the page's own file system and a download from there. */
export async function exportFile(name: string): Promise<ExportFile | undefined> {
  if (pickers.showSaveFilePicker) {
    const handle = await pickers.showSaveFilePicker({ suggestedName: name, types: GGUF }).catch(closed);
    return handle ? { handle, finish: async () => undefined } : undefined;
  }
  const folder = await navigator.storage.getDirectory();
  // What an earlier export left here has long been downloaded.
  await folder.removeEntry(name).catch(() => undefined);
  const handle = await folder.getFileHandle(name, { create: true });
  return { handle, finish: async () => saveFile(name, await handle.getFile()) };
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
