/** Files out of a zip, which DOCX and EPUB are. What a zip claims is held to: no file gets more room than it says. */
import { unzipSync } from 'fflate';
import { failure } from '../app/failure';

/** A book's text is far below this; a zip that claims more is a bomb. */
const MOST_BYTES = 200e6;

/** Throws `too-much` before anything is unpacked that would be too large together. */
export function zipFiles(bytes: Uint8Array, wanted: RegExp): Record<string, Uint8Array> {
  let claimed = 0;
  return unzipSync(bytes, {
    filter: ({ name, originalSize }) => {
      if (!wanted.test(name)) return false;
      claimed += originalSize;
      if (claimed > MOST_BYTES) throw failure('too-much');
      return true;
    },
  });
}
