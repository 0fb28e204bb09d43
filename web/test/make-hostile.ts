/** Files that claim, nest and repeat what no program would write. */
import { constants, deflateRawSync, deflateSync } from 'node:zlib';

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
  const packedOf = new Map<Uint8Array, Uint8Array>();
  let [at, offset, before] = [0, 0, undefined as Uint8Array | undefined];
  for (const { name, data = new Uint8Array(), packed: given, claimed, shared } of entries) {
    const packed = given ?? packedOf.get(data) ?? deflateRawSync(data);
    packedOf.set(data, packed);
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

/** One page whose content is so many zeros, packed `times` times over. */
export function flateBomb(bytes: number, times = 1): Uint8Array {
  let packed = deflatedZeros(bytes);
  for (let time = 1; time < times; time += 1) packed = deflateSync(packed, { level: 9 });
  const filters = Array(times).fill('/FlateDecode').join(' ');
  return pdfOf([Buffer.from(`<</Length ${packed.length}/Filter[${filters}]>>\nstream\n`), packed, Buffer.from('\nendstream')]);
}

/** A page that shows a form, which shows the next ten times over, and so on. */
export function formBomb(depth: number): Uint8Array {
  const form = (index: number, content: string) => Buffer.from(
    `<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</F ${FIRST_FREE + index + 1} 0 R>>/Font<</F1 5 0 R>>>>/Length ${content.length}>>\nstream\n${content}\nendstream`,
  );
  const forms = Array.from({ length: depth }, (_, index) => form(index, index < depth - 1 ? '/F Do '.repeat(10) : 'BT /F1 9 Tf (words) Tj ET'));
  return pdfOf([Buffer.from('<</Length 5>>\nstream\n/F Do\nendstream')], forms);
}

/** The number of the first object after a page's own. */
const FIRST_FREE = 6;

function pdfOf(content: readonly Buffer[], more: readonly Buffer[] = []): Uint8Array {
  const page = `<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>/XObject<</F ${FIRST_FREE} 0 R>>>>>>`;
  const font = '<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>';
  const objects = ['<</Type/Catalog/Pages 2 0 R>>', '<</Type/Pages/Kids[3 0 R]/Count 1>>', page, Buffer.concat(content), font, ...more];
  const parts = [Buffer.from('%PDF-1.4\n')];
  const starts = objects.map((object, index) => {
    const start = parts.reduce((sum, part) => sum + part.length, 0);
    parts.push(Buffer.from(`${index + 1} 0 obj\n`), Buffer.from(object), Buffer.from('\nendobj\n'));
    return `${String(start).padStart(10, '0')} 00000 n \n`;
  });
  const table = parts.reduce((sum, part) => sum + part.length, 0);
  const end = `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${starts.join('')}trailer<</Size ${objects.length + 1}/Root 1 0 R>>\nstartxref\n${table}\n%%EOF`;
  return Buffer.concat([...parts, Buffer.from(end)]);
}

/** As zlib packs them, of pieces that are alike. */
function deflatedZeros(bytes: number): Buffer {
  const piece = deflateRawSync(new Uint8Array(50e6), { level: 9, finishFlush: constants.Z_FULL_FLUSH });
  const count = Math.round(bytes / 50e6);
  // Adler-32 of zeros: their number, and one.
  const checksum = Buffer.alloc(4);
  checksum.writeUInt16BE((count * 50e6) % 65521, 0);
  checksum.writeUInt16BE(1, 2);
  return Buffer.concat([Buffer.from([0x78, 0xda]), ...Array<Buffer>(count).fill(piece), Buffer.from([0x03, 0x00]), checksum]);
}
