/** The files of conversations in a zip, such as ChatGPT's export. The rest of it, pictures as a rule, is never read. */

/** `conversations.json`, or several that are counted. */
const NAME = /(?:^|\/)conversations(?:-\d+)?\.json$/;
const MOST_FILES = 1000;

const [END, ENTRY, LOCAL] = [0x06054b50, 0x02014b50, 0x04034b50];
const [END_SIZE, ENTRY_SIZE, LOCAL_SIZE] = [22, 46, 30];
const LONGEST_COMMENT = 65_535;
const [STORED, DEFLATED] = [0, 8];

interface Entry {
  method: number;
  packed: number;
  offset: number;
}

export async function isZip(file: Blob): Promise<boolean> {
  const head = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  return head.length === 4 && new DataView(head.buffer).getUint32(0, true) === LOCAL;
}

/** Their texts. Throws `tooLarge()` where more than `most` bytes come out, and an error where it is no zip. */
export async function zippedConversations(file: Blob, most: number, tooLarge: () => Error): Promise<string[]> {
  const texts: string[] = [];
  let room = most;
  for (const { method, packed, offset } of await entries(file)) {
    const local = await view(file, offset, LOCAL_SIZE);
    if (local.getUint32(0, true) !== LOCAL) throw new Error('a file is not where the directory says');
    const start = offset + LOCAL_SIZE + local.getUint16(26, true) + local.getUint16(28, true);
    const bytes = file.slice(start, start + packed).stream();
    if (method !== STORED && method !== DEFLATED) throw new Error(`packed by method ${method}`);
    const decoder = new TextDecoder();
    let text = '';
    const reader = (method === STORED ? bytes : bytes.pipeThrough(new DecompressionStream('deflate-raw'))).getReader();
    for (let step = await reader.read(); !step.done; step = await reader.read()) {
      room -= step.value.length;
      if (room < 0) {
        void reader.cancel();
        throw tooLarge();
      }
      text += decoder.decode(step.value, { stream: true });
    }
    texts.push(text + decoder.decode());
  }
  return texts;
}

/** By their names. */
async function entries(file: Blob): Promise<Entry[]> {
  const from = Math.max(0, file.size - END_SIZE - LONGEST_COMMENT);
  const tail = await view(file, from, file.size - from);
  let end = tail.byteLength - END_SIZE;
  while (end >= 0 && tail.getUint32(end, true) !== END) end -= 1;
  if (end < 0) throw new Error('a zip without a directory');
  const directory = await view(file, tail.getUint32(end + 16, true), tail.getUint32(end + 12, true));
  const found: (Entry & { name: string })[] = [];
  for (let at = 0; at + ENTRY_SIZE <= directory.byteLength && directory.getUint32(at, true) === ENTRY && found.length < MOST_FILES; ) {
    const length = directory.getUint16(at + 28, true);
    const name = new TextDecoder().decode(new Uint8Array(directory.buffer, at + ENTRY_SIZE, Math.min(length, directory.byteLength - at - ENTRY_SIZE)));
    if (NAME.test(name)) found.push({ name, method: directory.getUint16(at + 10, true), packed: directory.getUint32(at + 20, true), offset: directory.getUint32(at + 42, true) });
    at += ENTRY_SIZE + length + directory.getUint16(at + 30, true) + directory.getUint16(at + 32, true);
  }
  return found.sort((a, b) => a.name.localeCompare(b.name));
}

async function view(file: Blob, start: number, length: number): Promise<DataView> {
  return new DataView(await file.slice(start, start + length).arrayBuffer());
}
