/** Dictionaries as these interfaces take them: names that are not known are passed over, and a value of another kind is a TypeError. */
import { wrongArgument, wrongOption, type Kinds } from '../api/checks.ts';
import { rangeError, typeError } from './exceptions.ts';

/** The members of a dictionary that are given. */
export function membersOf<Members>(given: unknown, kinds: Kinds): Partial<Members> {
  if (given === undefined || given === null) return {};
  if (typeof given !== 'object' && typeof given !== 'function') throw typeError(wrongArgument('options', given, 'an object of options'));
  const members: Record<string, unknown> = {};
  for (const [name, kind] of Object.entries(kinds)) {
    const value = (given as Record<string, unknown>)[name];
    if (value === undefined || value === null) continue;
    if (!kind.fits(value)) throw typeError(wrongOption(name, value, kind.expected));
    members[name] = value;
  }
  return members as Partial<Members>;
}

/** Language tags in their one way of writing, each once. */
export function canonicalTags(tags: readonly string[], option: string): string[] {
  try {
    return Intl.getCanonicalLocales([...tags]);
  } catch {
    throw rangeError(wrongOption(option, [...tags].join(', '), 'a list of language tags'));
  }
}
