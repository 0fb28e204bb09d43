/** One running answer, or several side by side: drives the engine's events, which let the worker's messages through between tokens. */
import type { ChatMessage, GenerateEvent, GenerateOptions, ManyEvent, ManyOptions } from './protocol';
import type { EngineModel } from './wasm-engine';

export class Generation {
  #events: AsyncIterator<GenerateEvent | ManyEvent> | undefined;

  constructor(private readonly model: EngineModel) {}

  async run(prompt: ChatMessage[] | Uint32Array, options: GenerateOptions, onEvent: (event: GenerateEvent) => void): Promise<void> {
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

  async #drive(prompt: string | ChatMessage[] | Uint32Array, options: GenerateOptions, onEvent: (event: GenerateEvent) => void): Promise<void> {
    const events = this.model.generate(prompt, options);
    this.#events = events;
    for await (const event of events) onEvent(event);
  }
}
