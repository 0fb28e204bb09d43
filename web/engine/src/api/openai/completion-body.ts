/** The body of a call about texts, checked and in the engine's own terms. */
import type { Prompt } from '../../base/wasm-engine.ts';
import { checkedOptions, unsupported, wrongOption, type Kinds } from '../checks.ts';
import { answerKinds, tokenId } from '../options.ts';
import { sharedKinds, wishOf, type Wish } from './body.ts';
import type { CompletionBody } from './types.ts';

const EXPECTED = 'a text, an array of texts, an array of token ids, or an array of such arrays';

const kinds: Kinds = {
  ...sharedKinds,
  prompt: { fits: (value) => promptsOf(value) !== undefined, expected: EXPECTED },
  best_of: unsupported((value) => value === 1),
  echo: unsupported((value) => value === false),
  logprobs: answerKinds.logprobs,
  suffix: unsupported(),
};

export function checkedCompletion(given: unknown): Wish & { prompts: Prompt[] } {
  const body = checkedOptions<CompletionBody>(given, kinds, { argument: 'body' });
  const prompts = promptsOf(body.prompt);
  if (!prompts) throw wrongOption('prompt', body.prompt, EXPECTED);
  const wish = wishOf(body);
  const { logprobs } = body;
  return { ...wish, prompts, options: { ...wish.options, ...(typeof logprobs === 'number' ? { logprobs } : {}) } };
}

/** Copies, which the caller cannot change any more. */
function promptsOf(given: unknown): Prompt[] | undefined {
  if (typeof given === 'string') return [given];
  if (!Array.isArray(given) || given.length === 0) return undefined;
  const items = [...(given as unknown[])];
  if (items.every((item) => typeof item === 'string')) return items;
  if (isTokens(items)) return [Uint32Array.from(items)];
  return items.every(isTokens) ? items.map((item) => Uint32Array.from(item)) : undefined;
}

function isTokens(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0 && [...(value as unknown[])].every(tokenId);
}
