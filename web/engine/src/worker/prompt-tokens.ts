/** What a prompt is read as. */
import type { EngineModel } from '../base/wasm-engine.ts';
import type { GenerateOptions, Prompt } from '../protocol/protocol.ts';

/**
 * A prompt is rendered and tokenised once, whatever is asked of it after that. A base model has no chat template: it continues the text of
 * the conversation instead.
 */
export function tokensOf(model: Tokenising, prompt: Prompt, options: Rendering): Uint32Array {
  if (typeof prompt === 'string') return model.promptTokens(prompt, rendering(options));
  const read = templated(model, prompt, options);
  return typeof read === 'string' ? model.promptTokens(read) : read;
}

/**
 * What goes on from what the model has read: a text is one for the engine, which begins none with it, and continues with an empty one
 * what was interrupted.
 */
export function continuationOf(model: Tokenising & Pick<EngineModel, 'tokenize'>, prompt: Prompt, options: Rendering, written?: Uint32Array): Uint32Array | string {
  const read = typeof prompt === 'string' ? prompt : templated(model, prompt, options);
  return written ? joined(typeof read === 'string' ? model.tokenize(read) : read, written) : read;
}

/** Tokens, and those after them that were written before. */
export function joined(tokens: Uint32Array, written: Uint32Array | undefined): Uint32Array {
  if (!written) return tokens;
  const all = new Uint32Array(tokens.length + written.length);
  all.set(tokens);
  all.set(written, tokens.length);
  return all;
}

type Tokenising = Pick<EngineModel, 'promptTokens'>;
type Rendering = Pick<GenerateOptions, 'thinking' | 'tools'>;

/** Nothing where all is as by default. */
function rendering({ thinking, tools }: Rendering): Rendering | undefined {
  return thinking || tools ? { ...(thinking ? { thinking } : {}), ...(tools ? { tools } : {}) } : undefined;
}

function templated(model: Tokenising, prompt: Exclude<Prompt, string>, options: Rendering): Uint32Array | string {
  if (prompt instanceof Uint32Array) return prompt;
  try {
    return model.promptTokens(prompt, rendering(options));
  } catch (thrown) {
    // A text to continue has no tools.
    const hasTools = options.tools || prompt.some((message) => message.tool_calls || message.tool_call_id !== undefined);
    if ((thrown as { code?: string }).code !== 'chat-template' || hasTools) throw thrown;
    return prompt.map((message) => message.content).join('\n');
  }
}
