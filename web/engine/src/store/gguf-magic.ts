/** The four bytes that every GGUF file begins with. The engine checks all else. */
import { failure } from '../base/failure.ts';
import { Fault } from './fault.ts';
import type { PartRecord } from './model-record.ts';

const MAGIC = new TextEncoder().encode('GGUF');
export const MAGIC_BYTES = MAGIC.length;

/** Whether the first bytes, however few, are those. */
export function isMagic(head: Uint8Array): boolean {
  return MAGIC.every((byte, index) => index >= head.length || head[index] === byte);
}

export function checkMagic(head: Uint8Array): void {
  if (!isMagic(head)) throw failure('not-gguf', {}, `the file begins with ${JSON.stringify(new TextDecoder('latin1').decode(head))}`);
}

/** Holds the first bytes of a part, as they come, to it, unless a listed hash says more and tells a damaged copy from a wrong file. */
export function checkHead(head: Uint8Array, part: PartRecord): void {
  if (part.listedChunks) return;
  // Where some of the model has come from this address, it is the answer that is wrong.
  const known = part.present.some((byte) => byte !== 0);
  if (known && !isMagic(head)) throw new Fault('foreign', `${part.name} came as something else than a model`);
  checkMagic(head.subarray(0, MAGIC_BYTES));
}
