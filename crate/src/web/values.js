// Inspects values of a page without trusting them: a getter or a proxy may throw, and objects of another window are no instances of this one's classes.

const MAX_LENGTH = 40;

/** What a value is, for an error's message. */
export function described(value) {
  try {
    if (typeof value === 'string') return JSON.stringify(value.length > MAX_LENGTH ? `${value.slice(0, MAX_LENGTH)}…` : value);
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

/** The message of a thrown value. */
export function messageOf(thrown) {
  try {
    if (typeof thrown === 'string') return thrown;
    const message = thrown?.message;
    return typeof message === 'string' && message !== '' ? message : described(thrown);
  } catch {
    return described(thrown);
  }
}

/** Whether an object can be read as options. A signal or a promise, passed by mistake, has no names of its own that could be reported. */
export function isOptions(value) {
  try {
    if (typeof value !== 'object' || value === null) return false;
    return !(Symbol.iterator in value) && typeof value.then !== 'function' && !(value instanceof Date) && !isSignal(value) && !ArrayBuffer.isView(value);
  } catch {
    return false;
  }
}

/** Names of the options that a page has set, in its order; `undefined` and `null` count as absent. */
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

/** Numbers by token id as a list, `[id, number, id, number …]`; undefined where the value is none of that. */
export function numbersById(value) {
  try {
    if (!isOptions(value)) return undefined;
    const entries = Object.entries(value);
    const isId = (name) => /^(0|[1-9]\d{0,9})$/.test(name) && Number(name) < 2 ** 32;
    return entries.every(([id, number]) => isId(id) && typeof number === 'number') ? Float64Array.from(entries.flat(), Number) : undefined;
  } catch {
    return undefined;
  }
}

/** Token ids as a `Uint32Array`; the index of the first value that is no token id; or undefined where the value is no list of numbers. */
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
