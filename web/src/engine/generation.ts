/** One running answer: drives the engine's iterator and lets a stop through between tokens. */
import type { EngineModel } from './wasm-engine';
import type { ChatMessage, GenerateEvent, GenerateOptions } from './protocol';

export class Generation {
  #events: AsyncIterator<GenerateEvent> | undefined;
  #stopped = false;

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

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#events?.return?.();
  }

  async #drive(prompt: string | ChatMessage[] | Uint32Array, options: GenerateOptions, onEvent: (event: GenerateEvent) => void): Promise<void> {
    const events = this.model.generate(prompt, options);
    this.#events = events;
    for await (const event of events) {
      onEvent(event);
      if (this.#stopped) break;
      await nextTask();
    }
  }
}

/** Lets the worker take its messages in: an engine on the CPU resolves within one task, and a stop would never be heard. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
