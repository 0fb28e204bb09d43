/** What both calls take, checked and in the engine's own terms. */
import type { GenerateOptions } from '../../base/wasm-engine.ts';
import type { FormedOptions } from '../../protocol/protocol.ts';
import { checkedOptions, flag, text, unsupported, whole, wrongOption, type Kind, type Kinds } from '../checks.ts';
import { answerKinds } from '../options.ts';
import type { SharedBody, StreamOptions } from './types.ts';

/** OpenAI's own limits. */
const MOST_STOPS = 4;
const MOST_CHOICES = 128;

/** Options that have another name here, and nothing else. */
const OPTIONS = {
  temperature: 'temperature',
  top_p: 'topP',
  frequency_penalty: 'frequencyPenalty',
  presence_penalty: 'presencePenalty',
  logit_bias: 'logitBias',
  seed: 'seed',
  top_k: 'topK',
  min_p: 'minP',
  repetition_penalty: 'repetitionPenalty',
  penalty_last_n: 'penaltyLastN',
  stop_token_ids: 'stopTokens',
  ignore_eos: 'ignoreEos',
  reuse: 'reuse',
} as const satisfies Partial<Record<keyof SharedBody, keyof GenerateOptions>>;

const isStop = (value: unknown) => typeof value === 'string' && value !== '';
const stop: Kind = {
  fits: (value) => isStop(value) || (Array.isArray(value) && value.length <= MOST_STOPS && [...(value as unknown[])].every(isStop)),
  expected: `a text or an array of ${MOST_STOPS} texts at most, none of them empty`,
};
const isEmptyObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;

/** Of both calls. What cannot be honoured is here with the values that ask for nothing. */
export const sharedKinds: Kinds = {
  ...Object.fromEntries(Object.entries(OPTIONS).map(([name, own]) => [name, answerKinds[own]])),
  model: text,
  max_tokens: answerKinds.maxTokens,
  stop,
  n: whole(1, MOST_CHOICES),
  stream: flag,
  stream_options: { fits: (value) => typeof value === 'object', expected: 'an object of options' },
  user: unsupported(),
};

const streamKinds: Kinds = { include_usage: flag, include_obfuscation: unsupported((value) => value === false) };

/** What a checked body asks for. */
export interface Wish {
  options: GenerateOptions & FormedOptions;
  n: number;
  stream: boolean;
  includeUsage: boolean;
}

/** The wish of a body whose options are checked one by one. */
export function wishOf(body: Partial<SharedBody>): Wish {
  const { n, stream, stop: stops, max_tokens: maxTokens } = body;
  const isStream = stream === true;
  const given = Object.entries(OPTIONS).flatMap(([name, own]) => {
    const value = body[name as keyof typeof OPTIONS];
    return value === undefined || isEmptyObject(value) ? [] : [[own, value]];
  });
  const options = {
    ...(Object.fromEntries(given) as GenerateOptions),
    ...(typeof maxTokens === 'number' ? { maxTokens } : {}),
    ...(stops ? { stop: typeof stops === 'string' ? [stops] : [...stops] } : {}),
  };
  return { options, n: n ?? 1, stream: isStream, includeUsage: includesUsage(body, isStream) };
}

function includesUsage({ stream_options: given }: Partial<SharedBody>, isStream: boolean): boolean {
  if (given === undefined || given === null) return false;
  if (!isStream) throw wrongOption('stream_options', given, 'absent, as it is to be without stream');
  const { include_usage: isIncluded } = checkedOptions<StreamOptions>(given, streamKinds, { argument: 'stream_options', within: 'stream_options.' });
  return isIncluded === true;
}
