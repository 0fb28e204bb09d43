/** Bytes to text. Old files do not say which encoding they have; what is then guessed is told with the text. */

export interface Decoded {
  text: string;
  /** The encoding, where the bytes do not say it. */
  guessed?: string;
}

const MARKS: readonly (readonly [string, readonly number[]])[] = [['utf-8', [0xef, 0xbb, 0xbf]], ['utf-16le', [0xff, 0xfe]], ['utf-16be', [0xfe, 0xff]]];

/**
 * What is written in an encoding, of the characters beyond ASCII. Read in a wrong one, Russian is in capitals, Japanese without kana,
 * Chinese in rare characters, Korean in Chinese ones.
 */
const WRITTEN: readonly (readonly [string, RegExp])[] = [
  ['shift_jis', /[\u3040-\u30ff\u3000-\u3002]/g],
  ['euc-jp', /[\u3040-\u30ff\u3000-\u3002]/g],
  ['euc-kr', /[\uac00-\ud7a3]/g],
  ['gb18030', /[的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后，。]/g],
  ['big5', /[的一是不了在人有我他這中大來上國個到說們為子和你地出道也時年得就那要下以生會自著去之過家學對可她裡後，。]/g],
  ['windows-1251', /[а-яё]/g],
  ['koi8-r', /[а-яё]/g],
];
/** How much of a text that is, at least. Chinese has by far the most characters. */
const LEAST: Readonly<Record<string, number>> = { shift_jis: 0.25, 'euc-jp': 0.25, gb18030: 0.1, big5: 0.1 };
const LEAST_OF_LETTERS = 0.6;

/** Enough to judge by. */
const SAMPLE = 65_536;
/** Western languages have fewer letters beyond ASCII than this, all others more. */
const WESTERN = 0.3;
/** A damaged character here and there does not make another encoding. */
const MOST_DAMAGED = 0.05;

/** A byte-order mark decides; else UTF-8 where it is valid, or nearly; else what it looks most like. */
export function decodeText(bytes: Uint8Array): Decoded {
  const marked = MARKS.find(([, mark]) => mark.every((byte, index) => bytes[index] === byte));
  if (marked) return { text: new TextDecoder(marked[0]).decode(bytes) };
  const wide = unmarkedUtf16(bytes.subarray(0, SAMPLE));
  if (wide) return { text: new TextDecoder(wide).decode(bytes), guessed: wide };
  const text = new TextDecoder('utf-8').decode(bytes);
  if (share(text, /\ufffd/g) <= MOST_DAMAGED) return { text };
  const guessed = likeliest(bytes.subarray(0, SAMPLE));
  return { text: new TextDecoder(guessed).decode(bytes), guessed };
}

/** HTML names its encoding within its first bytes. */
export function decodeHtml(bytes: Uint8Array): Decoded {
  const start = new TextDecoder('latin1').decode(bytes.subarray(0, 1024));
  const named = /<meta[^>]+charset=["']?([\w-]+)|<\?xml[^>]+encoding=["']([\w-]+)/i.exec(start);
  try {
    return { text: new TextDecoder(named?.[1] ?? named?.[2] ?? 'utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return decodeText(bytes);
  }
}

function likeliest(bytes: Uint8Array): string {
  const high = bytes.filter((byte) => byte >= 0x80).length;
  const letters = bytes.filter((byte) => (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a).length;
  if (high < WESTERN * (high + letters)) return 'windows-1252';
  const judged = WRITTEN.map(([name, written]) => {
    const text = new TextDecoder(name).decode(bytes, { stream: true });
    // In units of what each needs, so that they can be compared.
    return { name, score: share(text, /\ufffd/g) > MOST_DAMAGED ? 0 : share(text, written) / (LEAST[name] ?? LEAST_OF_LETTERS) };
  });
  const best = judged.reduce((best, each) => (each.score > best.score ? each : best));
  return best.score >= 1 ? best.name : 'windows-1252';
}

/** How much of the characters beyond ASCII are some of them. */
function share(text: string, wanted: RegExp): number {
  const beyond = text.match(/[^\u0000-\u007f]/g)?.length ?? 0;
  return beyond === 0 ? 0 : (text.match(wanted)?.length ?? 0) / beyond;
}

/** In most texts, every second byte of UTF-16 is often zero; in no other encoding is any. */
function unmarkedUtf16(bytes: Uint8Array): string | undefined {
  const zeros = [0, 0];
  bytes.forEach((byte, index) => byte === 0 && (zeros[index % 2] = (zeros[index % 2] ?? 0) + 1));
  const [even = 0, odd = 0] = zeros;
  if (bytes.length % 2 === 1 && bytes.length < SAMPLE) return undefined;
  if (odd > bytes.length / 10 && even < odd / 10) return 'utf-16le';
  return even > bytes.length / 10 && odd < even / 10 ? 'utf-16be' : undefined;
}
