/**
 * Files out of a zip, which DOCX and EPUB are. Each is unpacked when it is asked for, and what counts is the bytes that come out:
 * what a zip's directory claims may be more or less.
 */
import { Inflate, inflateSync } from 'fflate';
import { MambaError, failure } from '../../base/failure';

/** A book's text is far below this, all its files together. */
const MOST_BYTES = 200e6;
/** Unpacked at once: of so much packed data at most 16 MB come. */
const STEP = 16_384;

/** Ten times the largest book's. */
const MOST_ENTRIES = 200_000;

const [END, ENTRY, LOCAL] = [0x06054b50, 0x02014b50, 0x04034b50];
const END_SIZE = 22;
const LONGEST_COMMENT = 65_535;
const [STORED, DEFLATED] = [0, 8];
const [ENCRYPTED, UTF8_NAME] = [0x1, 0x800];
/** A number that stands in the entry's extra field (Zip64). */
const ELSEWHERE = 0xffff_ffff;

interface Entry {
  flags: number;
  method: number;
  packed: number;
  claimed: number;
  offset: number;
}

export class ZipFiles {
  readonly #view: DataView;
  readonly #entries = new Map<string, Entry>();
  #unpacked = 0;

  /** Throws `extract` where it is no zip, or a damaged one, and `too-complex`. */
  constructor(private readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    try {
      this.#readDirectory();
    } catch (thrown) {
      throw thrown instanceof MambaError ? thrown : damaged(String(thrown));
    }
  }

  get names(): string[] {
    return [...this.#entries.keys()];
  }

  /** None where there is no such file. Throws `too-much`, `protected` and `extract`. */
  read(name: string): Uint8Array | undefined {
    const entry = this.#entries.get(name);
    if (!entry) return undefined;
    if (entry.flags & ENCRYPTED) throw failure('password');
    // One that claims to be too large is not begun.
    this.#count(entry.claimed);
    this.#unpacked -= entry.claimed;
    const packed = this.#packed(name, entry);
    if (entry.method === STORED) {
      this.#count(packed.length);
      return packed;
    }
    if (entry.method !== DEFLATED) throw damaged(`${name}: packed by method ${entry.method}`);
    return this.#inflate(name, packed);
  }

  #inflate(name: string, packed: Uint8Array): Uint8Array {
    if (packed.length <= STEP) {
      const whole = unpacked(name, () => inflateSync(packed));
      this.#count(whole.length);
      return whole;
    }
    const chunks: Uint8Array[] = [];
    let [length, ended] = [0, false];
    const inflate = new Inflate((chunk, final) => {
      this.#count(chunk.length);
      length += chunk.length;
      chunks.push(chunk);
      ended = final;
    });
    for (let at = 0; at < packed.length && !ended; at += STEP) {
      unpacked(name, () => inflate.push(packed.subarray(at, at + STEP), at + STEP >= packed.length));
    }
    const whole = new Uint8Array(length);
    let at = 0;
    for (const chunk of chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    return whole;
  }

  #count(bytes: number): void {
    this.#unpacked += bytes;
    if (this.#unpacked > MOST_BYTES) throw failure('too-much', {}, `more than ${MOST_BYTES} bytes unpacked`);
  }

  #packed(name: string, { offset, packed }: Entry): Uint8Array {
    if (offset + 30 > this.bytes.length || this.#view.getUint32(offset, true) !== LOCAL) throw damaged(`${name}: not where the directory says`);
    const start = offset + 30 + this.#view.getUint16(offset + 26, true) + this.#view.getUint16(offset + 28, true);
    return this.bytes.subarray(start, start + packed);
  }

  #readDirectory(): void {
    const end = this.#end();
    const [size, listed] = [this.#view.getUint32(end + 12, true), this.#view.getUint32(end + 16, true)];
    // It ends where its end begins, wherever it says that it begins: something may stand before the zip.
    const start = listed === ELSEWHERE || size === ELSEWHERE ? this.#zip64Start(end) : end - size;
    const before = listed === ELSEWHERE ? 0 : Math.max(0, start - listed);
    for (let at = start; at + 46 <= end && this.#view.getUint32(at, true) === ENTRY; ) at = this.#readEntry(at, before);
  }

  #end(): number {
    for (let at = this.bytes.length - END_SIZE; at >= Math.max(0, this.bytes.length - END_SIZE - LONGEST_COMMENT); at -= 1) {
      if (this.#view.getUint32(at, true) === END) return at;
    }
    throw new Error('no directory');
  }

  #zip64Start(end: number): number {
    const record = Number(this.#view.getBigUint64(end - 20 + 8, true));
    return Number(this.#view.getBigUint64(record + 48, true));
  }

  /** Gives where the next one begins. */
  #readEntry(at: number, before: number): number {
    const short = (offset: number) => this.#view.getUint16(at + offset, true);
    const long = (offset: number) => this.#view.getUint32(at + offset, true);
    const [nameLength, extraLength, commentLength] = [short(28), short(30), short(32)];
    const nameEnd = at + 46 + nameLength;
    const name = new TextDecoder(short(8) & UTF8_NAME ? 'utf-8' : 'latin1').decode(this.bytes.subarray(at + 46, nameEnd));
    const [claimed = 0, packed = 0, offset = 0] = this.#large([long(24), long(20), long(42)], nameEnd, nameEnd + extraLength);
    if (this.#entries.size >= MOST_ENTRIES) throw failure('too-complex', {}, `more than ${MOST_ENTRIES} files`);
    this.#entries.set(name, { flags: short(8), method: short(10), packed, claimed, offset: offset + before });
    return nameEnd + extraLength + commentLength;
  }

  /** The numbers that do not fit their places, in their order, from the extra field. */
  #large(numbers: number[], from: number, to: number): number[] {
    if (!numbers.includes(ELSEWHERE)) return numbers;
    for (let at = from; at + 4 <= to; at += 4 + this.#view.getUint16(at + 2, true)) {
      if (this.#view.getUint16(at, true) !== 1) continue;
      let next = at + 4;
      return numbers.map((number) => {
        if (number !== ELSEWHERE || next + 8 > to) return number;
        next += 8;
        return Number(this.#view.getBigUint64(next - 8, true));
      });
    }
    return numbers;
  }
}

function unpacked<T>(name: string, unpack: () => T): T {
  try {
    return unpack();
  } catch (thrown) {
    throw thrown instanceof MambaError ? thrown : damaged(`${name}: ${String(thrown)}`);
  }
}

function damaged(detail: string): Error {
  return failure('extract', {}, detail);
}
