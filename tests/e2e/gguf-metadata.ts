/** Puts other metadata into a GGUF file, whose tensors stay as they are; and finds its tensors. */

type Value = { string: string } | { strings: readonly string[] } | { int32s: readonly number[] };

const ALIGNMENT = 32;
/** Bytes of the value types that have a fixed size, by their number. */
const SIZES: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };
const [STRING, ARRAY, INT32] = [8, 9, 5];

/** Knows where in the file it is. */
class Reader {
  at = 24;

  constructor(readonly file: Buffer) {}

  long(): number {
    this.at += 8;
    return Number(this.file.readBigUInt64LE(this.at - 8));
  }

  int(): number {
    this.at += 4;
    return this.file.readUInt32LE(this.at - 4);
  }

  text(): string {
    const length = this.long();
    this.at += length;
    return this.file.toString('utf8', this.at - length, this.at);
  }

  skipValue(type = this.int()): void {
    const size = SIZES[type];
    if (size !== undefined) this.at += size;
    else if (type === STRING) this.text();
    else {
      const inner = this.int();
      for (let left = this.long(); left > 0; left -= 1) this.skipValue(inner);
    }
  }

  /** Its name, how many weights it has, and where it begins behind all the headers. */
  tensor(): { name: string; weights: number; offset: number } {
    const name = this.text();
    const dimensions = Array.from({ length: this.int() }, () => this.long());
    this.at += 4;
    return { name, weights: dimensions.reduce((product, dimension) => product * dimension, 1), offset: this.long() };
  }
}

const aligned = (offset: number) => Math.ceil(offset / ALIGNMENT) * ALIGNMENT;

export function withMetadata(file: Buffer, changes: Readonly<Record<string, Value>>): Buffer {
  const reader = new Reader(file);
  const [tensors, keys] = [Number(file.readBigUInt64LE(8)), Number(file.readBigUInt64LE(16))];
  const pieces: Buffer[] = [file.subarray(0, 24)];
  const found = new Set<string>();
  for (let key = 0; key < keys; key += 1) {
    const begin = reader.at;
    const name = reader.text();
    found.add(name);
    const value = reader.at;
    reader.skipValue();
    const change = changes[name];
    pieces.push(...(change ? [file.subarray(begin, value), encoded(change)] : [file.subarray(begin, reader.at)]));
  }
  const missing = Object.keys(changes).filter((name) => !found.has(name));
  if (missing.length > 0) throw new Error(`the file has no ${missing.join(', ')}`);
  const infos = reader.at;
  for (let tensor = 0; tensor < tensors; tensor += 1) reader.tensor();
  pieces.push(file.subarray(infos, reader.at));
  const header = Buffer.concat(pieces);
  return Buffer.concat([header, Buffer.alloc(aligned(header.length) - header.length), file.subarray(aligned(reader.at))]);
}

/** A list of texts among the metadata. */
export function metadataStrings(file: Buffer, wanted: string): string[] {
  const reader = new Reader(file);
  for (let keys = Number(file.readBigUInt64LE(16)); keys > 0; keys -= 1) {
    const name = reader.text();
    if (name !== wanted) {
      reader.skipValue();
      continue;
    }
    if (reader.int() !== ARRAY || reader.int() !== STRING) break;
    return Array.from({ length: reader.long() }, () => reader.text());
  }
  throw new Error(`the file has no list of texts ${wanted}`);
}

/** The weights of each tensor of a file in F32, to be read and written in place. */
export function f32Tensors(file: Buffer): Map<string, Float32Array> {
  const reader = new Reader(file);
  for (let keys = Number(file.readBigUInt64LE(16)); keys > 0; keys -= 1) {
    reader.text();
    reader.skipValue();
  }
  const tensors = Array.from({ length: Number(file.readBigUInt64LE(8)) }, () => reader.tensor());
  const data = file.byteOffset + aligned(reader.at);
  return new Map(tensors.map(({ name, weights, offset }) => [name, new Float32Array(file.buffer, data + offset, weights)]));
}

function encoded(value: Value): Buffer {
  if ('string' in value) return Buffer.concat([int(STRING), text(value.string)]);
  const [type, items] = 'strings' in value ? [STRING, value.strings.map(text)] : [INT32, value.int32s.map(int)];
  return Buffer.concat([int(ARRAY), int(type), long(items.length), ...items]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([long(bytes.length), bytes]);
}

function long(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
