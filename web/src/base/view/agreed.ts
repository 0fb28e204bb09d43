/** What the visitor has agreed to in this tab. A reload does not ask again; a new visit does. */
const PREFIX = 'agreed ';

export class AgreedInTab {
  /** Where the browser keeps nothing for the page, this page's own life. */
  readonly #here = new Set<string>();

  has(what: string): boolean {
    return this.#here.has(what) || attempt(() => sessionStorage.getItem(key(what)) !== null, false);
  }

  add(what: string): void {
    this.#here.add(what);
    attempt(() => sessionStorage.setItem(key(what), ''), undefined);
  }
}

/** Every page of an origin shares the storage; what was agreed to holds for the page that asked. */
function key(what: string): string {
  return `${PREFIX}${new URL('.', document.baseURI).pathname} ${what}`;
}

function attempt<T>(work: () => T, otherwise: T): T {
  try {
    return work();
  } catch {
    return otherwise;
  }
}
