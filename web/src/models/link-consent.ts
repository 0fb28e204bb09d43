/**
 * What only a link names comes from no other server before the visitor agrees: whoever wrote the link would else learn who opens it, and
 * when, and could fill a disk. Nobody is asked about the catalogue, the page's own server, what is kept here or what was typed here.
 */
import { fileAddress, sourceKey, type EngineWorker, type OpenModel, type OpenProgress } from 'web-mamba';
import { failure, toFailure, type MambaError } from '../base/failure';
import type { Choice } from './choice';

/** More than this is asked about once more, as soon as the server has said how large it is. */
export const LARGE_BYTES = 100e6;

export interface LinkedFile {
  what: 'model' | 'state';
  url: string;
}

export interface LinkQuestion {
  files: readonly LinkedFile[];
  /** The server has been asked: bytes of the model, 0 where it does not say. */
  bytes?: number;
}

/** What was agreed to in this visit. */
export interface Agreed {
  has(what: string): boolean;
  add(what: string): unknown;
}

/** What the page's address asks for. */
export interface Linked {
  choice: Choice;
  state: string | null;
  base: string;
}

type Opening = (onProgress: (progress: OpenProgress) => void) => Promise<OpenModel>;

export class LinkConsent {
  /** Takes the answer, while the visitor is asked. */
  #answer: ((accepted: boolean) => void) | undefined;

  constructor(
    private readonly engine: Pick<EngineWorker, 'stored' | 'endOpening'>,
    private readonly agreed: Agreed,
    private readonly ask: (question: LinkQuestion) => void,
  ) {}

  answer(accepted: boolean): void {
    this.#answer?.(accepted);
  }

  /** Whether all may be fetched, or what of it may not. Asks where that is not known, unless it is no longer `wanted`. */
  async refused(linked: Linked, wanted: () => boolean): Promise<readonly LinkedFile[]> {
    const files = await this.#strange(linked);
    if (files.length === 0) return [];
    if (!wanted() || !(await this.#asked({ files }))) return files;
    for (const { url } of files) this.agreed.add(url);
    return [];
  }

  /** Opens a model that may be fetched; of a large one that only a link names nothing is kept before its visitor has heard the size. */
  async opened({ choice, base }: Omit<Linked, 'state'>, open: Opening, onProgress: (progress: OpenProgress) => void, wanted: () => boolean): Promise<OpenModel> {
    const url = strangeModel(choice, base);
    if (url === undefined || this.agreed.has(sized(url)) || (await this.#kept(url))) return open(onProgress);
    let bytes: number | undefined;
    try {
      return await open((progress) => {
        if (bytes === undefined && isLarge(progress) && wanted()) {
          bytes = sizeOf(progress);
          void this.engine.endOpening('discard').catch(() => undefined);
        }
        if (bytes === undefined) onProgress(progress);
      });
    } catch (thrown) {
      if (bytes === undefined || !wanted() || toFailure(thrown).code !== 'discarded') throw thrown;
    }
    if (!(await this.#asked({ files: [{ what: 'model', url }], bytes }))) throw declined(url);
    this.agreed.add(sized(url));
    return open(onProgress);
  }

  async #asked(question: LinkQuestion): Promise<boolean> {
    const accepted = await new Promise<boolean>((resolve) => {
      this.#answer = resolve;
      this.ask(question);
    });
    this.#answer = undefined;
    return accepted;
  }

  /** What would be fetched from other servers and was not agreed to. */
  async #strange({ choice, state, base }: Linked): Promise<LinkedFile[]> {
    const files: LinkedFile[] = [];
    const model = strangeModel(choice, base);
    if (model !== undefined && !this.agreed.has(model) && !(await this.#kept(model))) files.push({ what: 'model', url: model });
    const from = state === null ? undefined : strangeState(state, base);
    if (from !== undefined && !this.agreed.has(from)) files.push({ what: 'state', url: from });
    return files;
  }

  /** What is here in part was agreed to when it began. A store that cannot be read keeps nothing. */
  async #kept(key: string): Promise<boolean> {
    const stored = await this.engine.stored().catch(() => []);
    return stored.some(({ url }) => url === key);
  }
}

/** The visitor has declined to fetch what lies there. */
export function declined(url: string): MambaError {
  return failure('declined', { host: new URL(url).host });
}

/** Where a model that nobody has chosen here comes from, if that is another server. */
function strangeModel({ source, entry, linked }: Choice, base: string): string | undefined {
  if (!linked || entry || source.kind === 'files' || source.kind === 'stored') return undefined;
  return elsewhere(sourceKey(source), base);
}

function strangeState(state: string, base: string): string | undefined {
  try {
    return elsewhere(fileAddress(state, base).href, base);
  } catch {
    // It is no address, and is refused as one where it would be fetched.
    return undefined;
  }
}

function elsewhere(url: string, base: string): string | undefined {
  return new URL(url).origin === new URL(base).origin ? undefined : url;
}

/** Whether this much is worth a question, also where more has come than anyone had said. Another tab that downloads has asked. */
function isLarge(progress: OpenProgress): boolean {
  return progress.step === 'receive' && !progress.elsewhere && Math.max(sizeOf(progress), progress.done) > LARGE_BYTES;
}

/** Bytes of the whole as far as the server says, 0 where it does not, or less than has come. */
function sizeOf({ done, total, announced = 0 }: OpenProgress): number {
  const said = total > 0 ? total : announced;
  return said >= done ? said : 0;
}

/** What is noted where the visitor has agreed to the size, too. */
function sized(url: string): string {
  return `${url} of any size`;
}
