// Looks at a page's values without trusting them. A getter or a proxy may throw, and what another window made is no instance of ours.

const MOST_LETTERS = 40;

/** What a value is, for an error's message. */
export function described(value) {
  try {
    if (typeof value === 'string') return JSON.stringify(value.length > MOST_LETTERS ? `${value.slice(0, MOST_LETTERS)}…` : value);
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value === 'function') return 'a function';
    if (typeof value !== 'object' || value === null) return String(value);
    if (Array.isArray(value)) return `an array of ${value.length}`;
    const name = value[Symbol.toStringTag] ?? value.constructor?.name;
    return typeof name === 'string' && name !== 'Object' && name !== '' ? `a ${name}` : 'an object';
  } catch {
    return 'an object that cannot be read';
  }
}

/** What a thrown value says. */
export function told(thrown) {
  try {
    if (typeof thrown === 'string') return thrown;
    const message = thrown?.message;
    return typeof message === 'string' && message !== '' ? message : described(thrown);
  } catch {
    return described(thrown);
  }
}

/** Whether an object can be read as options. What a caller may have passed by mistake, a signal or a promise, has no names of its own to complain of. */
export function isOptions(value) {
  try {
    if (typeof value !== 'object' || value === null) return false;
    return !(Symbol.iterator in value) && typeof value.then !== 'function' && !(value instanceof Date) && !isSignal(value) && !ArrayBuffer.isView(value);
  } catch {
    return false;
  }
}

/** Names of what a page has set itself, in the order in which it did; what is `undefined` or `null` is as good as absent. */
export function givenNames(options) {
  const isGiven = (name) => {
    try {
      return (options[name] ?? undefined) !== undefined;
    } catch {
      return true;
    }
  };
  return Object.keys(options).filter(isGiven);
}

export function isArray(value) {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}

export function isBytes(value) {
  return ArrayBuffer.isView(value) && value[Symbol.toStringTag] === 'Uint8Array';
}

export function isSignal(value) {
  try {
    return typeof value === 'object' && value !== null && typeof value.aborted === 'boolean' && typeof value.addEventListener === 'function'
      && typeof value.removeEventListener === 'function';
  } catch {
    return false;
  }
}

/** Token ids as a `Uint32Array`; the place of the first value that is none; or undefined for what is no list of numbers. */
export function tokenIds(value) {
  if (value instanceof Uint32Array) return value;
  if (!isArray(value) && !(ArrayBuffer.isView(value) && !(value instanceof DataView))) return undefined;
  try {
    for (let at = 0; at < value.length; at += 1) {
      if (!(Number.isInteger(value[at]) && value[at] >= 0 && value[at] < 2 ** 32)) return at;
    }
    return Uint32Array.from(value);
  } catch {
    return undefined;
  }
}
