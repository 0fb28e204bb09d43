import type { AnswerSettings, LoadedModel } from 'web-mamba';
import { webMamba } from 'web-mamba/ai-sdk';
import { installPromptApi, type LanguageModelStatic } from 'web-mamba/prompt-api';
// @ts-expect-error It is JavaScript.
import { asked } from './sdk.js';

/** States as values, the browser's own interfaces, and the AI SDK upon one model. Each is a value that the page shows. */
export async function shapes(model: LoadedModel): Promise<unknown[]> {
  const results: unknown[] = [];
  const written = async (options: AnswerSettings) => {
    const tokens: number[] = [];
    for await (const event of model.generate('It was', { temperature: 1, seed: 3, maxTokens: 8, ...options })) if (event.type === 'token') tokens.push(event.id);
    return tokens.join();
  };
  const read = await model.state.read('Once upon a time there was a boat. '.repeat(20));
  const first = await written({ resume: true });
  await model.state.restore(read);
  results.push(first.length > 0, (await written({ resume: true })) === first);
  const file = await read.toBlob('f32');
  results.push((await written({ state: await model.state.open(file) })) === first);

  installPromptApi(model, { maxTokens: 8 });
  const { LanguageModel } = globalThis as unknown as { LanguageModel: LanguageModelStatic };
  const session = await LanguageModel.create({ samplingMode: 'most-predictable', initialPrompts: [{ role: 'system', content: 'Be brief.' }] });
  const clone = await session.clone();
  const answer = await session.prompt('Hello!');
  let streamed = '';
  const reader = clone.promptStreaming('Hello!').getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) streamed += piece.value;
  results.push(answer.trim() !== '', streamed === answer, session.contextUsage > 8);

  const { text, usage } = (await asked(model)) as { text: string; usage: { outputTokens: number } };
  results.push(text === answer, usage.outputTokens, webMamba(model).specificationVersion);
  return results;
}
