/** Models whose place another has taken: what a browser keeps of them opens as before, and nothing else of them is to be had. */
import { sourceKey, type StoredModel } from 'web-mamba';
import { failure, type MambaError } from '../base/failure';
import { newerOf } from './catalogue';
import type { Choice } from './choice';

type Stored = Pick<StoredModel, 'url' | 'complete'>;

/** Answers of a server that no longer has the file: none, or a page in its place. */
const GONE: ReadonlySet<string> = new Set(['http-status', 'other-file', 'not-gguf']);

/** The choice, or the whole copy of an earlier version that is kept where nothing is of the choice itself: a visit then begins with no download. */
export function keptVersion(choice: Choice, stored: readonly Stored[]): Choice {
  const keptOf = ({ source }: Choice) => stored.find(({ url }) => url === sourceKey(source));
  return keptOf(choice) ? choice : (choice.earlier?.find((each) => keptOf(each)?.complete) ?? choice);
}

/** Throws the failure `replaced` where no whole copy of an earlier version is kept. */
export function requireKept(choice: Choice, stored: readonly Stored[]): void {
  const whole = stored.some(({ url, complete }) => complete && url === sourceKey(choice.source));
  if (choice.entry?.replacedBy !== undefined && !whole) throw replacedFailure(choice);
}

/** Of a copy that is damaged and could not be mended from the server, why not; any other fault as it is. */
export function asReplaced(choice: Choice, fault: MambaError): MambaError {
  return choice.entry?.replacedBy !== undefined && GONE.has(fault.code) ? replacedFailure(choice, fault.message) : fault;
}

function replacedFailure({ name, entry }: Choice, detail = ''): MambaError {
  return failure('replaced', { name, newer: (entry && newerOf(entry)?.name) ?? '' }, detail);
}
