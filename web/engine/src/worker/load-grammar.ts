/** The real grammar engine: a wasm module of its own, which is fetched when the first constrained answer is asked for. */
import type { GrammarEngine } from '../base/wasm-engine.ts';
import startGrammar, { Grammars } from '../../pkg-grammar/web_mamba_grammar.js';

/**
 * After a trap its instance is in no known state: `onFault` is to have the worker replaced. `read` gives the module where it cannot be
 * fetched.
 */
export function loadGrammar(onFault: (thrown: unknown) => void, read?: () => Promise<BufferSource>): GrammarEngine {
  const guarded = <T>(work: () => T): T => {
    try {
      return work();
    } catch (thrown) {
      if (thrown instanceof WebAssembly.RuntimeError) onFault(thrown);
      throw thrown;
    }
  };
  return {
    // It starts once; where its module could not be fetched, it is asked for again.
    start: async () => startGrammar(read && { module_or_path: await read() }),
    grammars: (table) => {
      const grammars = guarded(() => new Grammars(table));
      return {
        matcher: (kind, text) => {
          const first = guarded(() => grammars.matcher(kind, text));
          const made = [first];
          return {
            make: () => {
              const matcher = guarded(() => first.fork());
              made.push(matcher);
              return {
                mask: () => guarded(() => matcher.mask()),
                mayEnd: () => guarded(() => matcher.mayEnd()),
                take: (token: number) => guarded(() => matcher.take(token)),
              };
            },
            free: () => made.forEach((matcher) => matcher.free()),
          };
        },
        free: () => grammars.free(),
      };
    },
  };
}
