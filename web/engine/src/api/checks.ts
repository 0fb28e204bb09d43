/** Checks what a caller gives before anything is done with it: an error names the option or the argument, and what it takes. */
import { MambaError } from '../base/failure.ts';
import { fill, type Blanks } from '../base/format.ts';
import { messages, type Messages } from '../base/messages.ts';
import { nearest } from './nearest.ts';

/** What a value has to be: as a test, and in words. */
export interface Kind {
  fits(value: unknown): boolean;
  expected: string;
  /** Of an option that the engine cannot honour: `fits` says which values ask for nothing. */
  isUnsupported?: boolean;
}

export type Kinds = Readonly<Record<string, Kind>>;

/** Options as callers may give them: `undefined` and `null` mean absent. */
export type Optional<Options> = { [Name in keyof Options]?: Options[Name] | null | undefined };

/** What the checked object is to its caller, and what stands before the names within it. */
export interface Place {
  argument?: string;
  within?: string;
  /** What it has to be, in words. */
  expected?: string;
}

/** Longer texts are cut where an error shows them. */
const SHOWN = 40;
const MOST_U32 = 2 ** 32 - 1;

export function isWhole(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

export function whole(least = 0, most = MOST_U32): Kind {
  return { fits: (value) => isWhole(value, least, most), expected: `a whole number from ${least} to ${most}` };
}

export function number(expected: string, accepts: (value: number) => boolean): Kind {
  return { fits: (value) => typeof value === 'number' && Number.isFinite(value) && accepts(value), expected };
}

export function oneOf(...values: readonly string[]): Kind {
  return { fits: (value) => values.includes(value as string), expected: values.map((value) => `'${value}'`).join(' or ') };
}

export function listOf(expected: string, accepts: (item: unknown) => boolean): Kind {
  // A hole of an array is skipped by `every`, and not by the array's own values.
  return { fits: (value) => Array.isArray(value) && [...(value as unknown[])].every(accepts), expected };
}

/** An option of another interface that the engine cannot honour: only values that ask for nothing are taken. */
export function unsupported(asksForNothing: (value: unknown) => boolean = () => false): Kind {
  return { fits: asksForNothing, expected: '', isUnsupported: true };
}

/** Names of an object whose values are checked one by one. */
export function names(...known: readonly string[]): Kinds {
  return Object.fromEntries(known.map((name) => [name, { fits: () => true, expected: '' }]));
}

export const flag: Kind = { fits: (value) => typeof value === 'boolean', expected: 'true or false' };
export const text: Kind = { fits: (value) => typeof value === 'string', expected: 'a text' };
export const callback: Kind = { fits: (value) => typeof value === 'function', expected: 'a function' };
/** Of another window it is no instance of this one's class. */
export const signal: Kind = { fits: (value) => Object.prototype.toString.call(value) === '[object AbortSignal]', expected: 'an AbortSignal' };

/** It goes to the worker, which writes the file: anything else could not travel. */
export const fileHandle: Kind = { fits: (value) => Object.prototype.toString.call(value) === '[object FileSystemFileHandle]', expected: 'a FileSystemFileHandle' };

/** The options that are given, each checked. */
export function checkedOptions<Options>(given: unknown, kinds: Kinds, { argument = 'options', within = '', expected = 'an object of options' }: Place = {}): Partial<Options> {
  if (given === undefined || given === null) return {};
  if (!isPlain(given)) throw wrongArgument(argument, given, expected);
  const present = entriesOf(given, argument).filter(([, value]) => value !== undefined && value !== null);
  for (const [name, value] of present) {
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (!kind) throw unknownOption(within + name, name, Object.keys(kinds).filter((known) => !kinds[known]?.isUnsupported));
    if (kind.fits(value)) continue;
    if (kind.isUnsupported) throw unsupportedOption(within + name, value);
    throw wrongOption(within + name, value, kind.expected);
  }
  return Object.fromEntries(present) as Partial<Options>;
}

/** Of an option that is right, and asks for what the engine does not have. */
export function unsupportedOption(option: string, value: unknown): MambaError {
  return misuse('invalid-option', 'unsupported', { option, found: described(value) }, 'leaveOut');
}

export function wrongOption(option: string, value: unknown, expected: string): MambaError {
  return misuse('invalid-option', 'option', { option, found: described(value), expected });
}

export function checkArgument(argument: string, value: unknown, { fits, expected }: Kind): void {
  if (!fits(value)) throw wrongArgument(argument, value, expected);
}

export function wrongArgument(argument: string, value: unknown, expected: string): MambaError {
  return misuse('invalid-request', 'argument', { argument, found: described(value), expected });
}

function unknownOption(option: string, name: string, known: readonly string[]): MambaError {
  const suggestion = nearest(name, known);
  if (suggestion === undefined) return misuse('invalid-option', 'unknown', { option, known: known.join(', ') }, 'known');
  return misuse('invalid-option', 'unknown', { option, suggestion }, 'meant');
}

function misuse(code: string, sentence: keyof Messages['misuse'], data: Blanks, remedy: keyof Messages['misuse'] = 'correct'): MambaError {
  const texts = messages().misuse;
  return new MambaError({ code, message: fill(texts[sentence], data), remedy: fill(texts[remedy], data), detail: '', data });
}

/** A getter, or a proxy, may throw. */
function entriesOf(given: object, argument: string): [string, unknown][] {
  try {
    return Object.entries(given);
  } catch (thrown) {
    throw wrongArgument(argument, given, `an object of options that can be read (${String(thrown)})`);
  }
}

/** A signal, a list or a promise in the place of options has no names of its own that could be reported. */
function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Symbol.iterator in value) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** What a value is, for an error's message. */
function described(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > SHOWN ? `${value.slice(0, SHOWN)}…` : value);
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value !== 'object' || value === null) return String(value);
  const kind = Object.prototype.toString.call(value).slice('[object '.length, -1);
  return kind === 'Object' ? 'an object' : `a ${kind}`;
}
