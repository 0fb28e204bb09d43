/** One running answer, or several side by side: drives the engine's events, which let the worker's messages through between tokens. */
import type { DurableCheckpoints, Prompt } from '../state/durable-checkpoints';
import type { AnswerEvent, ChatMessage, GenerateEvent, GenerateOptions, ManyEvent, ManyOptions } from './protocol';
import type { EngineModel } from './wasm-engine';

/** A device that is lost this often without a token in between would be lost again. */
const MOST_LOSSES = 3;

export interface GenerationHelp {
  /** Keeps checkpoints beyond this page. */
  checkpoints?: DurableCheckpoints;
  /** Loads the model again on a new device. */
  rebuild?: () => Promise<void>;
}

export class Generation {
  #events: AsyncIterator<GenerateEvent | ManyEvent> | undefined;

  constructor(
    private readonly model: EngineModel,
    private readonly help: GenerationHelp = {},
  ) {}

  async run(prompt: ChatMessage[] | Uint32Array, options: GenerateOptions, onEvent: (event: AnswerEvent) => void): Promise<void> {
    try {
      await this.#drive(prompt, options, onEvent);
    } catch (thrown) {
      if ((thrown as { code?: string }).code !== 'chat-template' || prompt instanceof Uint32Array) throw thrown;
      // A base model has no chat template: it continues the text of the conversation instead.
      await this.#drive(prompt.map((message) => message.content).join('\n'), options, onEvent);
    }
  }

  async runMany(prompts: ChatMessage[][], options: ManyOptions, onEvent: (event: ManyEvent) => void): Promise<void> {
    const events = this.model.generateMany(prompts, options);
    this.#events = events;
    for await (const event of events) onEvent(event);
  }

  async stop(): Promise<void> {
    await this.#events?.return?.();
  }

  async #drive(prompt: Prompt, options: GenerateOptions, onEvent: (event: AnswerEvent) => void): Promise<void> {
    const { checkpoints } = this.help;
    // Where the state is gone on from, or nothing is to be known, the store has nothing to add.
    if (options.reuse !== false && !options.resume) await checkpoints?.prepare(prompt);
    const events = (this.#events = this.model.generate(prompt, options));
    let losses = 0;
    for (;;) {
      try {
        const { done, value } = await events.next();
        if (done) break;
        if (value.type === 'token') losses = 0;
        onEvent(value);
        checkpoints?.collect();
      } catch (thrown) {
        losses += 1;
        const lost = (thrown as { code?: string }).code === 'device-lost';
        if (!lost || !this.help.rebuild || losses > MOST_LOSSES) throw thrown;
        onEvent({ type: 'rebuild' });
        await this.help.rebuild();
        onEvent({ type: 'rebuilt' });
      }
    }
    await checkpoints?.settle();
  }
}
