/** The four bytes that every GGUF file begins with. The engine checks all else. */
import { failure } from '../app/failure';

const MAGIC = new TextEncoder().encode('GGUF');
export const MAGIC_BYTES = MAGIC.length;

/** Throws `not-gguf` as soon as the first bytes, however few, differ. */
export function checkMagic(head: Uint8Array): void {
  const differs = MAGIC.some((byte, index) => index < head.length && head[index] !== byte);
  if (differs) throw failure('not-gguf', {}, `the file begins with ${JSON.stringify(new TextDecoder('latin1').decode(head))}`);
}
