/** Files that claim, nest and repeat what no program would write. */
import { deflateRawSync } from 'node:zlib';

export interface ZipEntry {
  name: string;
  /** What it holds, or what it is packed to. */
  data?: Uint8Array;
  packed?: Uint8Array;
  /** Its size as the directory says; the true one where that is left out. */
  claimed?: number;
  /** Its bytes are those of the entry before it. */
  shared?: boolean;
}

/** A zip whose directory may lie. */
export function zipOf(entries: readonly ZipEntry[]): Uint8Array {
  const [parts, directory]: [Buffer[], Buffer[]] = [[], []];
  const packedOf = new Map<Uint8Array, Buffer>();
  let [at, offset, before] = [0, 0, undefined as Uint8Array | undefined];
  for (const { name, data = new Uint8Array(), packed: given, claimed, shared } of entries) {
    const packed = given ?? packedOf.get(data) ?? deflateRawSync(data);
    if (!given) packedOf.set(data, Buffer.from(packed));
    const sizes = [packed.length, claimed ?? data.length] as const;
    if (!shared || before !== packed) {
      offset = at;
      const local = header(0x04034b50, 30, [[4, 20], [8, 8], [26, name.length]], [[18, sizes[0]], [22, sizes[1]]]);
      parts.push(local, Buffer.from(name), Buffer.from(packed));
      at += local.length + name.length + packed.length;
    }
    before = packed;
    directory.push(header(0x02014b50, 46, [[4, 20], [6, 20], [10, 8], [28, name.length]], [[20, sizes[0]], [24, sizes[1]], [42, offset]]), Buffer.from(name));
  }
  const listed = Buffer.concat(directory);
  const count = Math.min(entries.length, 0xffff);
  return Buffer.concat([...parts, listed, header(0x06054b50, 22, [[8, count], [10, count]], [[12, listed.length], [16, at]])]);
}

function header(mark: number, length: number, shorts: readonly (readonly [number, number])[], longs: readonly (readonly [number, number])[]): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.writeUInt32LE(mark, 0);
  for (const [at, value] of shorts) bytes.writeUInt16LE(value, at);
  for (const [at, value] of longs) bytes.writeUInt32LE(value, at);
  return bytes;
}

export function spineOf(hrefs: readonly string[]): string {
  const items = hrefs.map((href, index) => `<item id="i${index}" href="${href}"/>`);
  return `<package><manifest>${items.join('')}</manifest><spine>${hrefs.map((_, index) => `<itemref idref="i${index}"/>`).join('')}</spine></package>`;
}

/** A book of one chapter, `a.xhtml`. */
export const BOOK = spineOf(['a.xhtml']);

export function bookOf(packageFile: string, files: readonly ZipEntry[]): Uint8Array {
  return zipOf([
    { name: 'META-INF/container.xml', data: Buffer.from('<container><rootfiles><rootfile full-path="book.opf"/></rootfiles></container>') },
    { name: 'book.opf', data: Buffer.from(packageFile) },
    ...files,
  ]);
}

const TYPES = `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`;
const RELATIONS = `<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`;
const NAMESPACE = 'http://schemas.openxmlformats.org/wordprocessingml/2006/main';

/** A Word file whose body is `unit`, so many times. */
export function docxOf(unit: string, count: number): Uint8Array {
  const body = Buffer.alloc(unit.length * count, unit);
  const document = Buffer.concat([Buffer.from(`<?xml version="1.0"?><w:document xmlns:w="${NAMESPACE}"><w:body>`), body, Buffer.from('</w:body></w:document>')]);
  return zipOf([
    { name: '[Content_Types].xml', data: Buffer.from(TYPES) }, { name: '_rels/.rels', data: Buffer.from(RELATIONS) }, { name: 'word/document.xml', data: document },
  ]);
}
