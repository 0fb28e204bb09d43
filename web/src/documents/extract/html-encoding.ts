/** The encoding that a page names within its first bytes, as the HTML standard finds it ("prescan a byte stream"), or XML's declaration. */

/** Where a browser looks for it. */
const PRESCANNED = 1024;

/** Attributes of a tag from where its name ends, in any kind of quotes. */
const ATTRIBUTE = /[\s/]*([^\s/>=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]*)))?/y;
const XML_DECLARATION = /^<\?xml\s[^>]*?encoding\s*=\s*(?:"([^"]*)"|'([^']*)')/;
const CHARSET = /charset\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s;"']+))/i;

/** A label that `TextDecoder` knows, or none. */
export function namedEncoding(bytes: Uint8Array): string | undefined {
  const start = new TextDecoder('latin1').decode(bytes.subarray(0, PRESCANNED));
  const declared = XML_DECLARATION.exec(start.trimStart());
  const label = inMeta(start) ?? declared?.[1] ?? declared?.[2];
  return label === undefined ? undefined : decodable(label);
}

/** What could be read as ASCII is in no encoding of two bytes a character; and `x-user-defined` is what is said of pages from before encodings. */
function decodable(label: string): string | undefined {
  if (label.trim().toLowerCase() === 'x-user-defined') return 'windows-1252';
  try {
    const { encoding } = new TextDecoder(label);
    return encoding.startsWith('utf-16') ? 'utf-8' : encoding;
  } catch {
    return undefined;
  }
}

/** The first `meta` that names one, outside of comments. */
function inMeta(start: string): string | undefined {
  for (let at = start.indexOf('<'); at >= 0; at = start.indexOf('<', at + 1)) {
    if (start.startsWith('<!--', at)) {
      // Its last hyphens may be its first.
      const end = start.indexOf('-->', at + 2);
      if (end < 0) return undefined;
      at = end;
    } else if (/^<meta[\s/]/i.test(start.slice(at, at + 6))) {
      const label = ofMeta(attributesFrom(start, at + 5));
      if (label !== undefined) return label;
    }
  }
  return undefined;
}

function ofMeta(attributes: ReadonlyMap<string, string>): string | undefined {
  const charset = attributes.get('charset');
  if (charset !== undefined) return charset;
  if (attributes.get('http-equiv')?.toLowerCase() !== 'content-type') return undefined;
  const found = CHARSET.exec(attributes.get('content') ?? '');
  return found?.[1] ?? found?.[2] ?? found?.[3];
}

/** By names in small letters; of two with one name, the first counts. */
function attributesFrom(start: string, from: number): Map<string, string> {
  const attributes = new Map<string, string>();
  ATTRIBUTE.lastIndex = from;
  for (let found = ATTRIBUTE.exec(start); found; found = ATTRIBUTE.exec(start)) {
    const [, name = '', double, single, bare] = found;
    const key = name.toLowerCase();
    if (!attributes.has(key)) attributes.set(key, double ?? single ?? bare ?? '');
  }
  return attributes;
}
