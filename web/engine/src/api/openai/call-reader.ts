/** Calls of tools in a growing answer, and the text beside them. What comes out does not depend on where the text is cut into pieces. */
import { newId } from '../../base/new-id.ts';
import type { CallFormat } from './call-format.ts';
import { JsonEnd } from './json-end.ts';

/** More of the text; a call that begins; more of its arguments, as JSON; or their end. */
export type CallPiece =
  | { kind: 'text'; text: string }
  | { kind: 'call'; index: number; id: string; name: string }
  | { kind: 'arguments'; index: number; text: string }
  | { kind: 'end'; index: number };

export interface ReaderOptions {
  format: CallFormat;
  /** The tools' names. */
  names: ReadonlySet<string>;
  /** The most calls that count. What follows the last of them is left out. */
  most: number;
}

/** Letters and digits of an id: Mistral's templates take no other number of them. */
const ID_LENGTH = 9;

/** `text`: beside calls. `call`: before, or in, the head of one. `arguments`, `rest`: in one. `after`: behind one. `over`: nothing counts. */
type State = 'text' | 'call' | 'arguments' | 'rest' | 'after' | 'over';

export class CallReader {
  readonly #format: CallFormat;
  readonly #names: ReadonlySet<string>;
  readonly #most: number;
  readonly #head: RegExp;
  #state: State = 'text';
  /** What was not read yet. */
  #waiting = '';
  /** Nothing but blanks came: where there is no opening, a call can only begin here. */
  #isStart = true;
  /** Whether the call has an opening, which no other text has. */
  #isMarked = false;
  /** What is text after all where no call follows. */
  #opened = '';
  /** Whether a list of calls has not begun yet. */
  #isListAhead = false;
  /** Where the JSON ends that is being read, of which so much was looked at. */
  #value = new JsonEnd();
  #seen = 0;
  #count = 0;
  readonly #steps: Readonly<Record<State, () => CallPiece[]>> = {
    text: () => this.#inText(),
    call: () => this.#atCall(),
    arguments: () => this.#inArguments(),
    rest: () => this.#inRest(),
    after: () => this.#afterCall(),
    over: () => this.#leaveOut(),
  };

  constructor({ format, names, most }: ReaderOptions) {
    this.#format = format;
    this.#names = names;
    this.#most = most;
    this.#head = new RegExp(String.raw`^\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"${format.argumentsName}"\s*:\s*(?=\{)`);
  }

  /** How many calls there are so far. */
  get count(): number {
    return this.#count;
  }

  take(text: string): CallPiece[] {
    this.#waiting += text;
    return this.#read();
  }

  /** What was waiting. A beginning of an opening that nothing has followed is text; an opened call that says nothing yet is left out. */
  end(): CallPiece[] {
    const waiting = this.#waiting;
    this.#waiting = '';
    if (this.#state === 'text') return this.#count > 0 && waiting.trim() === '' ? [] : textOf(waiting);
    return this.#state === 'call' && !this.#isMarked ? textOf(this.#opened + waiting) : [];
  }

  #read(): CallPiece[] {
    const pieces: CallPiece[] = [];
    for (;;) {
      const [state, before] = [this.#state, this.#waiting];
      pieces.push(...this.#steps[state]());
      if (this.#state === state && this.#waiting === before) return pieces;
    }
  }

  #inText(): CallPiece[] {
    const { opening, isList } = this.#format;
    const waiting = this.#waiting;
    if (this.#isStart) {
      const begun = waiting.trimStart();
      // A list may have an opening that is no text.
      const isBareList = isList && /^\[\s*\{/.test(begun);
      if (isBareList || (opening === '' && begun.startsWith('{'))) {
        this.#opened = waiting.slice(0, isBareList ? waiting.indexOf('[') + 1 : waiting.indexOf('{'));
        return this.#begin(false, waiting.slice(this.#opened.length));
      }
      if (begun === '' || (isList && /^\[\s*$/.test(begun))) return [];
    }
    const at = opening === '' ? -1 : waiting.indexOf(opening);
    if (at >= 0) {
      this.#opened = opening;
      this.#begin(true, waiting.slice(at + opening.length), isList);
      return textOf(waiting.slice(0, at).trimEnd());
    }
    const said = waiting.slice(0, waiting.length - overlap(waiting, opening)).trimEnd();
    this.#waiting = waiting.slice(said.length);
    this.#isStart &&= said === '';
    return textOf(said);
  }

  #atCall(): CallPiece[] {
    const waiting = this.#waiting.trimStart();
    this.#opened += this.#waiting.slice(0, this.#waiting.length - waiting.length);
    this.#waiting = waiting;
    if (waiting === '') return [];
    if (this.#isListAhead && waiting.startsWith('[')) {
      this.#isListAhead = false;
      this.#opened += '[';
      this.#waiting = waiting.slice(1);
      return [];
    }
    if (!waiting.startsWith('{')) return this.#giveUp();
    const head = this.#head.exec(waiting);
    if (head) {
      const name = textIn(head[1]);
      if (name === undefined || !this.#isTool(name)) return this.#giveUp();
      this.#waiting = waiting.slice(head[0].length);
      this.#value = new JsonEnd();
      this.#state = 'arguments';
      return [this.#called(name)];
    }
    const end = this.#endOf(waiting);
    if (end === undefined) return [];
    const call = wholeCall(waiting.slice(0, end), this.#format.argumentsName);
    if (!call || !this.#isTool(call.name)) return this.#giveUp();
    this.#waiting = waiting.slice(end);
    const piece = this.#called(call.name);
    const { index } = piece;
    this.#state = 'after';
    return [piece, { kind: 'arguments', index, text: call.json }, { kind: 'end', index }];
  }

  #inArguments(): CallPiece[] {
    const index = this.#count - 1;
    const end = this.#value.find(this.#waiting);
    const text = this.#waiting.slice(0, end);
    this.#waiting = this.#waiting.slice(text.length);
    const pieces: CallPiece[] = text === '' ? [] : [{ kind: 'arguments', index, text }];
    if (end === undefined) return pieces;
    this.#state = 'rest';
    return [...pieces, { kind: 'end', index }];
  }

  /** Up to the call's own brace, or to what closes the call where the model forgot that brace. */
  #inRest(): CallPiece[] {
    const { closing } = this.#format;
    const brace = new JsonEnd(1).find(this.#waiting);
    const closed = closing === '' ? -1 : this.#waiting.indexOf(closing);
    const end = closed >= 0 && (brace === undefined || closed < brace) ? closed : brace;
    if (end === undefined) return [];
    this.#waiting = this.#waiting.slice(end);
    this.#state = 'after';
    return [];
  }

  #afterCall(): CallPiece[] {
    const { closing, isList } = this.#format;
    if (this.#count >= this.#most) {
      this.#state = 'over';
      return [];
    }
    const waiting = this.#waiting.trimStart();
    if (waiting === '') return [];
    if (isList && waiting.startsWith(',')) return this.#begin(true, waiting.slice(1));
    const last = isList ? ']' : closing;
    if (last !== '' && waiting.length < last.length && last.startsWith(waiting)) return [];
    this.#waiting = last !== '' && waiting.startsWith(last) ? waiting.slice(last.length) : waiting;
    this.#state = 'text';
    return [];
  }

  #leaveOut(): CallPiece[] {
    this.#waiting = '';
    return [];
  }

  /** Where the object ends that the text, which grows, begins with. */
  #endOf(text: string): number | undefined {
    const end = this.#value.find(text.slice(this.#seen));
    const before = this.#seen;
    this.#seen = text.length;
    return end === undefined ? undefined : before + end;
  }

  #begin(isMarked: boolean, waiting: string, isListAhead = false): CallPiece[] {
    this.#isStart = false;
    this.#isMarked = isMarked;
    this.#isListAhead = isListAhead;
    this.#value = new JsonEnd();
    this.#seen = 0;
    this.#waiting = waiting;
    this.#state = 'call';
    return [];
  }

  /** Without an opening, JSON that names no tool is text as any other. */
  #isTool(name: string): boolean {
    return this.#isMarked || this.#names.has(name);
  }

  #called(name: string): Extract<CallPiece, { kind: 'call' }> {
    const index = this.#count;
    this.#count += 1;
    this.#opened = '';
    // In a list, what follows a call is one too.
    this.#isMarked = true;
    return { kind: 'call', index, id: newId().slice(0, ID_LENGTH), name };
  }

  /** What was opened is text. */
  #giveUp(): CallPiece[] {
    this.#state = 'text';
    const opened = this.#opened;
    this.#opened = '';
    return textOf(opened);
  }
}

function textOf(text: string): CallPiece[] {
  return text === '' ? [] : [{ kind: 'text', text }];
}

/** How much of a text's end may be the beginning of another. */
function overlap(text: string, other: string): number {
  for (let length = Math.min(text.length, other.length - 1); length > 0; length -= 1) if (other.startsWith(text.slice(-length))) return length;
  return 0;
}

function textIn(json: string | undefined): string | undefined {
  const value = json === undefined ? undefined : parsed(json);
  return typeof value === 'string' ? value : undefined;
}

/** A call whose names come in another order, or whose arguments are no object: a text that is one, or nothing. */
function wholeCall(json: string, argumentsName: string): { name: string; json: string } | undefined {
  const call = parsed(json);
  if (typeof call !== 'object' || call === null) return undefined;
  const { name, [argumentsName]: given = {} } = call as Record<string, unknown>;
  const value = typeof given === 'string' ? parsed(given) : given;
  if (typeof name !== 'string' || typeof value !== 'object' || Array.isArray(value)) return undefined;
  return { name, json: typeof given === 'string' ? given : JSON.stringify(value ?? {}) };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
