/** Messages with files for threads of Node, in which a `File` arrives as a `Blob` without a name. */

interface SentFile {
  sentFile: Blob;
  name: string;
  lastModified: number;
}

/** The message with its files as what arrives. */
export function packed(message: unknown): unknown {
  return replaced(message, (value) => (value instanceof File ? sent(value) : undefined));
}

/** What was packed, with its files. */
export function unpacked(message: unknown): unknown {
  return replaced(message, (value) => {
    const { sentFile, name, lastModified } = value as Partial<SentFile>;
    return sentFile instanceof Blob && name !== undefined ? new File([sentFile], name, { lastModified: lastModified ?? 0 }) : undefined;
  });
}

function sent(file: File): SentFile {
  return { sentFile: file.slice(), name: file.name, lastModified: file.lastModified };
}

/** A copy of plain objects and arrays, in which `replace` gives other values for some; all else stays itself. */
function replaced(value: unknown, replace: (value: object) => unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const other = replace(value);
  if (other !== undefined) return other;
  if (Array.isArray(value)) return value.map((each) => replaced(each, replace));
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, replaced(each, replace)]));
}
