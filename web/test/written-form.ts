/** Answers of no model, over the grammar module alone: any tokens that a form allows. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { initSync } from '../engine/pkg-grammar/web_mamba_grammar.js';
import type { ConstraintOption, EngineModel } from '../engine/src/base/wasm-engine.ts';
import type { AnswerForm } from '../engine/src/protocol/protocol.ts';
import { ConstrainedAnswers } from '../engine/src/worker/constrained.ts';
import { loadGrammar } from '../engine/src/worker/load-grammar.ts';

/** All bytes, a longer token, and a control token. */
const words = [...Array.from({ length: 256 }, (_, byte) => [byte]), [...new TextEncoder().encode('{"a": ')], [60, 101, 62]];
const table = new Uint8Array([
  ...new Uint8Array(new Uint32Array([words.length, ...words.map((word, id) => 2 * word.length + Number(id === words.length - 1))]).buffer),
  ...words.flat(),
]);

export function grammarModule() {
  initSync({ module: readFileSync(path.join(import.meta.dirname, '../engine/pkg-grammar/web_mamba_grammar_bg.wasm')) });
  const faults: unknown[] = [];
  const model = { tokenTable: () => table } as unknown as EngineModel;
  const answers = new ConstrainedAnswers(loadGrammar((thrown) => faults.push(thrown)));
  const allowed = (mask: Uint32Array) => words.map((_, id) => id).filter((id) => ((mask[id >> 5] ?? 0) >>> (id & 31)) & 1);

  /** Writes up to where nothing may follow, or `isEnough` where the answer may end. By default it takes the last token that is allowed. */
  async function written(form: AnswerForm, choose = (ids: number[]) => ids.at(-1), isEnough = () => false): Promise<string> {
    const bytes: number[] = [];
    await answers.run(model, form, 0, async ({ make }: ConstraintOption) => {
      const constraint = make(0);
      for (;;) {
        const id = choose(allowed(constraint.mask()));
        if (id === undefined || (constraint.mayEnd() && isEnough())) break;
        constraint.take(id);
        bytes.push(...(words[id] ?? []));
      }
      if (!constraint.mayEnd()) throw new Error('nothing may follow, and the answer is not whole');
    });
    return new TextDecoder().decode(Uint8Array.from(bytes));
  }

  return { answers, model, allowed, written, faults };
}
