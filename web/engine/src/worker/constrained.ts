/** The forms that answers of the open model are held to. The grammar engine is started, and learns the vocabulary, with the first of them. */
import { failure } from '../base/failure.ts';
import type { ConstraintOption, EngineModel, GrammarEngine, Grammars } from '../base/wasm-engine.ts';
import type { AnswerForm } from '../protocol/protocol.ts';

export class ConstrainedAnswers {
  /** Of the model that was asked last. */
  #known: { model: EngineModel; grammars: Grammars } | undefined;

  constructor(private readonly engine: GrammarEngine) {}

  /** Runs with the constraint of a form. Of each prompt the last `written` tokens are the answer's beginning. */
  async run(model: EngineModel, { kind, text }: AnswerForm, written: number, run: (constraint: ConstraintOption) => Promise<void>): Promise<void> {
    const grammars = await this.#of(model);
    const matcher = tried(() => grammars.matcher(kind, text));
    try {
      await run({ make: matcher.make, written });
    } finally {
      matcher.free();
    }
  }

  async #of(model: EngineModel): Promise<Grammars> {
    try {
      await this.engine.start();
    } catch (cause) {
      throw failure('engine-start', {}, String(cause));
    }
    if (this.#known?.model !== model) {
      this.#known?.grammars.free();
      this.#known = undefined;
      const table = model.tokenTable();
      this.#known = { model, grammars: tried(() => this.engine.grammars(table)) };
    }
    return this.#known.grammars;
  }
}

/** What the grammar engine throws says what it cannot do. */
function tried<T>(work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    const problem = thrown instanceof Error ? thrown.message : String(thrown);
    throw failure('grammar', { problem }, problem);
  }
}
