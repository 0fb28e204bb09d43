/** Addresses of other people as text: one that is long is cut in its middle, and no character in it can turn the words around it. */

/** So much of an address fits a few lines of a phone. */
const MOST = 160;
/** Controls, the marks and isolates of writing directions among them, characters without a glyph, and halves of surrogate pairs. */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** A text that should have been an address. */
export function addressText(typed: string): string {
  return shortened(typed).replace(UNSEEN, '\ufffd');
}

export interface AddressText {
  /** Whole, with the port, in ASCII: letters of other scripts that look alike differ there. */
  host: string;
  /** What the address has before the host, and after it. */
  before: string;
  after: string;
}

/** An absolute address in its parts. Outside of the host, `URL` leaves nothing but ASCII either. */
export function addressParts(address: string): AddressText {
  const { protocol, host, pathname, search } = new URL(address);
  return { host, before: `${protocol}//`, after: shortened(pathname + search) };
}

function shortened(text: string): string {
  const letters = [...text];
  if (letters.length <= MOST) return text;
  const end = Math.floor(MOST / 3);
  return `${letters.slice(0, MOST - end - 1).join('')}…${letters.slice(-end).join('')}`;
}
