/** One running answer, or several side by side: drives the engine's events, which let the worker's messages through between tokens. */
import type { DurableCheckpoints, Prompt } from '../state/durable-checkpoints';
import type { AnswerEvent, ChatMessage, GenerateEvent, GenerateOptions, ManyEvent, ManyOptions, RebuildEvent } from './protocol';
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
  #events: AsyncIterator<GenerateEvent> | undefined;

  constructor(
    private readonly model: EngineModel,
    private readonly help: GenerationHelp = {},
  ) {}

  async run(prompt: ChatMessage[] | Uint32Array, options: GenerateOptions, onEvent: (event: AnswerEvent) => void): Promise<void> {
    await this.#answer([prompt], options, ([only = prompt]) => this.model.generate(only, options), onEvent);
  }

  async runMany(prompts: (ChatMessage[] | Uint32Array)[], options: ManyOptions, onEvent: (event: ManyEvent) => void): Promise<void> {
    await this.#answer(prompts, options, (all) => this.model.generateMany(all, options), onEvent);
  }

  async stop(): Promise<void> {
    await this.#events?.return?.();
  }

  async #answer<Event extends GenerateEvent>(
    prompts: (ChatMessage[] | Uint32Array)[], options: GenerateOptions,
    start: (prompts: Prompt[]) => AsyncIterator<Event>, onEvent: (event: Event | RebuildEvent) => void,
  ): Promise<void> {
    const drive = async (all: Prompt[]) => {
      await this.#prepare(all, options);
      await this.#drive(start(all), onEvent);
    };
    try {
      await drive(prompts);
    } catch (thrown) {
      if ((thrown as { code?: string }).code !== 'chat-template') throw thrown;
      // A base model has no chat template: it continues the text of the conversation instead.
      await drive(prompts.map((prompt) => (prompt instanceof Uint32Array ? prompt : prompt.map(({ content }) => content).join('\n'))));
    }
  }

  /** Looks in the store for the start of a prompt. Prompts that differ are parts of a document, which nothing has read before. */
  async #prepare([first, ...others]: Prompt[], { reuse, resume }: GenerateOptions): Promise<void> {
    // Where the state is gone on from, or nothing is to be known, the store has nothing to add.
    if (first === undefined || reuse === false || resume) return;
    const text = JSON.stringify(first);
    if (others.every((other) => JSON.stringify(other) === text)) await this.help.checkpoints?.prepare(first);
  }

  async #drive<Event extends GenerateEvent>(events: AsyncIterator<Event>, onEvent: (event: Event | RebuildEvent) => void): Promise<void> {
    const { checkpoints } = this.help;
    this.#events = events;
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
