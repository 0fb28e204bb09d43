/** Files on their way to becoming documents, one after the other. One that fails, or is called off, leaves the others alone. */
import { MambaError, failure, toFailure } from '../base/failure';
import { formatBytes } from '../base/format';
import type { DocumentKind, Extracted } from '../data/document-records';
import type { Extract } from './extract/extractor';
import { FIRST_BYTES, formatOf, hasPdfWithin } from './extract/first-bytes';
import { documentKind } from './extract/kinds';

/** Larger ones are mostly pictures, and a page's memory has to hold one several times over. */
const MOST_BYTES = 200e6;
/** Failures of one file, whose sentences name it. */
const ABOUT_A_FILE: ReadonlySet<string> = new Set(['extract', 'file-kind', 'no-text', 'password', 'protected', 'scan', 'too-complex', 'too-long', 'too-much']);

export interface IntakeParts {
  extract: Extract;
  /** Keeps what was extracted, and gives its id. */
  add(name: string, kind: DocumentKind, extracted: Extracted): Promise<string>;
  changed(): void;
}

/** A PDF that asks for its password. */
export interface Locked {
  file: File;
  /** One was given, and was not it. */
  isWrong: boolean;
}

export class DocumentIntake {
  /** Those that can be opened with their passwords. */
  locked: readonly Locked[] = [];
  /** The file that is being read. */
  adding: { name: string; done: number; total: number } | undefined;
  #stop = new AbortController();

  constructor(private readonly parts: IntakeParts) {}

  /** The ids of those that were added, and what went wrong with the others, as one failure that names each. */
  async take(files: readonly File[]): Promise<{ added: string[]; failed: MambaError | undefined }> {
    const { signal } = (this.#stop = new AbortController());
    const [added, failures]: [string[], MambaError[]] = [[], []];
    for (const file of files) {
      if (signal.aborted) break;
      try {
        added.push(await this.#take(file, signal));
      } catch (thrown) {
        if (!signal.aborted) failures.push(this.#failed(thrown, file, false));
      }
    }
    this.#show(undefined);
    return { added, failed: together(failures) };
  }

  /** Throws `password` where it is a wrong one, which can be tried again. */
  async unlock(file: File, password: string): Promise<string> {
    const { signal } = (this.#stop = new AbortController());
    try {
      const id = await this.#take(file, signal, password);
      this.leave(file);
      return id;
    } catch (thrown) {
      throw this.#failed(thrown, file, true);
    } finally {
      this.#show(undefined);
    }
  }

  /** A file that asks for its password is not wanted any more. */
  leave(file: File): void {
    this.locked = this.locked.filter((each) => each.file !== file);
    this.parts.changed();
  }

  async text(text: string, name: string): Promise<string> {
    try {
      const extracted = await this.parts.extract(new Blob([text]), 'markdown', () => undefined, this.#stop.signal);
      return await this.parts.add(name, 'text', extracted);
    } catch (thrown) {
      throw named(toFailure(thrown), name);
    }
  }

  /** Leaves out the file that is being read, and those after it. */
  cancel(): void {
    this.#stop.abort();
    this.#stop = new AbortController();
  }

  #failed(thrown: unknown, file: File, isWrong: boolean): MambaError {
    const fault = named(toFailure(thrown), file.name);
    const others = this.locked.filter((each) => each.file !== file);
    this.locked = fault.code === 'password' && documentKind(file) === 'pdf' ? [...others, { file, isWrong }] : others;
    return fault;
  }

  async #take(file: File, signal: AbortSignal, password?: string): Promise<string> {
    const { name, size } = file;
    const kind = documentKind(file);
    if (!kind && !(await showsItsKind(file))) throw failure('file-kind', { name });
    if (size > MOST_BYTES) throw failure('file-size', { name, size: formatBytes(size), most: formatBytes(MOST_BYTES) });
    this.#show({ name, done: 0, total: 0 });
    const extracted = await this.parts.extract(file, kind, (done, total) => {
      // Reports that were on their way when it was called off would bring it back.
      if (!signal.aborted) this.#show({ name, done, total });
    }, signal, password);
    signal.throwIfAborted();
    return this.parts.add(name, extracted.kind ?? kind ?? 'text', extracted);
  }

  #show(adding: DocumentIntake['adding']): void {
    this.adding = adding;
    this.parts.changed();
  }
}

/** Its name says nothing. */
async function showsItsKind(file: File): Promise<boolean> {
  const start = new Uint8Array(await file.slice(0, FIRST_BYTES).arrayBuffer());
  return formatOf(start) !== undefined || hasPdfWithin(start);
}

function named(fault: MambaError, name: string): MambaError {
  return ABOUT_A_FILE.has(fault.code) ? failure(fault.code as 'extract', { name }, fault.detail) : fault;
}

/** Each file's sentence, and each remedy once. */
function together(failures: readonly MambaError[]): MambaError | undefined {
  if (failures.length < 2) return failures[0];
  const said = (texts: readonly string[], between: string) => [...new Set(texts)].filter(Boolean).join(between);
  return new MambaError({
    code: 'several-files',
    message: said(failures.map(({ message }) => message), ' '),
    remedy: said(failures.map(({ remedy }) => remedy), ' '),
    detail: said(failures.map(({ detail }) => detail), '\n'),
  });
}
