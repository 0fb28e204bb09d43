/** SHA-256: of bytes at hand, and of a stream whose state can be kept over a restart. */
import { createSHA256, type IHasher } from 'hash-wasm';

/** The browser's own digest is twice as fast, but is absent on plain http. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const subtle = globalThis.crypto?.subtle;
  if (subtle) return new Uint8Array(await subtle.digest('SHA-256', bytes));
  return (await createSHA256()).init().update(bytes).digest('binary');
}

/** The web's own digest takes no stream, so this one runs in wasm. */
export class StreamedSha256 {
  private constructor(private readonly hasher: IHasher) {}

  static async start(): Promise<StreamedSha256> {
    return new StreamedSha256((await createSHA256()).init());
  }

  /** Goes on from a state of {@link save}, or undefined where another version of the library made it. */
  static async resume(state: Uint8Array): Promise<StreamedSha256 | undefined> {
    const hasher = (await createSHA256()).init();
    try {
      return new StreamedSha256(hasher.load(state));
    } catch {
      return undefined;
    }
  }

  update(bytes: Uint8Array): void {
    this.hasher.update(bytes);
  }

  save(): Uint8Array {
    return this.hasher.save();
  }

  /** In hexadecimal. Nothing can be added afterwards. */
  digest(): string {
    return this.hasher.digest('hex');
  }
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
