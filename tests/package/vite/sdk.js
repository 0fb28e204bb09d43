import { generateText } from 'ai';
import { webMamba } from 'web-mamba/ai-sdk';

/** In JavaScript, since the SDK's own types need those of Node. */
export function asked(model) {
  return generateText({ model: webMamba(model), system: 'Be brief.', prompt: 'Hello!', temperature: 0, maxOutputTokens: 8 });
}
