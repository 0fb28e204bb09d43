/** Opening a database whose requests may come to nothing: while a browser clears the site's data, it ends some of them, and forgets others. */
import type { MambaError } from './failure.ts';

/** Milliseconds after which a request that was ended, or has had no answer, is made once more beside the one before. */
const PAUSES = [100, 400, 1000, 2000];
/** How long the last one is waited for, and the only one where the database could not be opened before: nobody waits for long twice. */
const LAST_MILLISECONDS = 6000;
const ONLY_MILLISECONDS = 1000;
/** The name of what is thrown where no request had an answer. */
export const SILENT = 'TimeoutError';
const ENDED: ReadonlySet<string> = new Set(['AbortError', 'UnknownError']);

export interface Opening<Connection> {
  /** `blocked` is to be called where another tab holds the database. */
  request(blocked: () => void): Promise<Connection>;
  /** It could not be opened before. */
  again: boolean;
  /** How long another tab may hold it, in milliseconds, and what is said then. */
  blockedMilliseconds: number;
  held(): MambaError;
}

/** The first connection that comes; those that come later are closed. */
export function openFirst<Connection extends { close(): void }>({ request, again, blockedMilliseconds, held }: Opening<Connection>): Promise<Connection> {
  return new Promise((resolve, reject) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let [ended, blocked] = [false, false];
    const end = (settle: () => void) => {
      clearTimeout(timer);
      ended = true;
      settle();
    };
    // Once another tab is known to hold it, asking again is of no use.
    const wait = () => {
      if (ended || blocked) return;
      blocked = true;
      clearTimeout(timer);
      timer = setTimeout(() => end(() => reject(held())), blockedMilliseconds);
    };
    const ask = (index: number) => {
      const pause = again ? undefined : PAUSES[index];
      timer = setTimeout(() => {
        if (pause === undefined) end(() => reject(new DOMException('the request had no answer', SILENT)));
        else ask(index + 1);
      }, pause ?? (again ? ONLY_MILLISECONDS : LAST_MILLISECONDS));
      request(wait).then(
        (connection) => (ended ? connection.close() : end(() => resolve(connection))),
        (thrown: unknown) => {
          const repeated = pause !== undefined && !blocked && ENDED.has((thrown as Error).name);
          if (!ended && !repeated) end(() => reject(thrown as Error));
        },
      );
    };
    ask(0);
  });
}

/** Deletes a database, unless another tab holds it for too long. */
export function deleteUnlessHeld(remove: (blocked: () => void) => Promise<void>, blockedMilliseconds: number, held: () => MambaError): Promise<void> {
  return new Promise((resolve, reject) => {
    remove(() => setTimeout(() => reject(held()), blockedMilliseconds)).then(resolve, reject);
  });
}
