/** What a file's first bytes say that it is. */

export type Format = 'zip' | 'ole' | 'rtf' | 'pdf' | 'html';

/** Enough to tell: readers of PDF look for its mark among so many, as something may stand before it. */
export const FIRST_BYTES = 1024;

const ZIP = [0x50, 0x4b, 0x03, 0x04];
/** Office files before 2007, and later ones that are locked by a password. */
const OLE = [0xd0, 0xcf, 0x11, 0xe0];
const BYTE_ORDER_MARK = /^\u00ef\u00bb\u00bf/;
const PAGE = /^(?:<\?xml[^>]*>\s*)?(?:<!--[^>]*-->\s*)*<(?:!doctype\s+html|html)[\s>]/i;

/** None where they say nothing, as those of a text. */
export function formatOf(bytes: Uint8Array): Format | undefined {
  if (begins(bytes, ZIP)) return 'zip';
  if (begins(bytes, OLE)) return 'ole';
  const start = startOf(bytes).replace(BYTE_ORDER_MARK, '').trimStart();
  if (start.startsWith('{\\rtf')) return 'rtf';
  if (start.startsWith('%PDF-')) return 'pdf';
  return PAGE.test(start) ? 'html' : undefined;
}

/** A PDF with something before it, which in a text would be a mention of one. */
export function hasPdfWithin(bytes: Uint8Array): boolean {
  return startOf(bytes).includes('%PDF-');
}

function startOf(bytes: Uint8Array): string {
  return new TextDecoder('latin1').decode(bytes.subarray(0, FIRST_BYTES));
}

function begins(bytes: Uint8Array, mark: readonly number[]): boolean {
  return mark.every((byte, index) => bytes[index] === byte);
}
