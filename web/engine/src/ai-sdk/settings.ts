/** The AI SDK's settings in the engine's terms, and warnings about those that it cannot honour. */
import type { GenerateOptions, ModelInfo } from '../base/wasm-engine.ts';
import { checkedOptions, unsupportedOption } from '../api/checks.ts';
import { answerKinds, type AnswerSettings } from '../api/options.ts';
import type { CallOptions, Warning } from './types.ts';

/** What `providerOptions['web-mamba']` may have. */
const { minP, repetitionPenalty, penaltyLastN, stopTokens, ignoreEos, reuse, thinking, keepAfter } = answerKinds;
const ownKinds = { minP, repetitionPenalty, penaltyLastN, stopTokens, ignoreEos, reuse, thinking, keepAfter };

/** Settings that have another name here, and nothing else. */
const NAMES = {
  maxOutputTokens: 'maxTokens', temperature: 'temperature', topP: 'topP', topK: 'topK', presencePenalty: 'presencePenalty', frequencyPenalty: 'frequencyPenalty',
  stopSequences: 'stop', seed: 'seed',
} as const satisfies Partial<Record<keyof CallOptions, keyof GenerateOptions>>;

export function settingsOf(options: CallOptions, info: Pick<ModelInfo, 'canThink'>): { settings: AnswerSettings; warnings: Warning[] } {
  const warnings: Warning[] = [];
  const own = checkedOptions<GenerateOptions>(options.providerOptions?.['web-mamba'], ownKinds, { argument: 'providerOptions', within: 'providerOptions.web-mamba.' });
  return { settings: { ...renamed(options), ...thoughtful(options, info, warnings), ...constrained(options, warnings), ...own }, warnings };
}

function renamed(options: CallOptions): GenerateOptions {
  const names = Object.keys(NAMES) as (keyof typeof NAMES)[];
  const kinds = Object.fromEntries(names.map((name) => [name, answerKinds[NAMES[name]]]));
  const given = checkedOptions<CallOptions>(Object.fromEntries(names.map((name) => [name, options[name]])), kinds);
  return Object.fromEntries(names.flatMap((name) => (given[name] === undefined ? [] : [[NAMES[name], given[name]]])));
}

/** There are no degrees of reasoning: a model thinks or answers at once. */
function thoughtful({ reasoning = 'provider-default' }: CallOptions, { canThink }: Pick<ModelInfo, 'canThink'>, warnings: Warning[]): GenerateOptions {
  if (reasoning === 'provider-default') return {};
  if (reasoning === 'none') return { thinking: canThink ? 'skip' : 'off' };
  if (!canThink) {
    warnings.push({ type: 'unsupported', feature: 'reasoning' });
    return {};
  }
  warnings.push({ type: 'compatibility', feature: 'reasoning', details: `${reasoning}: on` });
  return { thinking: 'on' };
}

/** What an answer is held to. Tools that may be called are passed over with a warning; a call that has to be made is refused. */
function constrained({ responseFormat, tools = [], toolChoice }: CallOptions, warnings: Warning[]): AnswerSettings {
  const form = responseFormat?.type === 'json' ? { jsonSchema: responseFormat.schema ?? { type: 'object' } } : {};
  if (tools.length === 0 || toolChoice?.type === 'none') return form;
  if (toolChoice?.type === 'required' || toolChoice?.type === 'tool') throw unsupportedOption('toolChoice', toolChoice.type);
  warnings.push({ type: 'unsupported', feature: 'tools' });
  return form;
}
