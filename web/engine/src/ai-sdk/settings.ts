/** The AI SDK's settings in the engine's terms, and warnings about those that it cannot honour. */
import type { GenerateOptions, ModelInfo } from '../base/wasm-engine.ts';
import { checkedOptions, unsupportedOption, wrongOption } from '../api/checks.ts';
import type { ReaderOptions } from '../api/openai/call-reader.ts';
import { callsAsked, callsWish } from '../api/openai/tools.ts';
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

type Known = Pick<ModelInfo, 'canThink' | 'toolFormat' | 'toolOpening'>;

/** `calls` is how calls in the answer are read, where there may be some. */
export function settingsOf(options: CallOptions, info: Known): { settings: AnswerSettings; calls?: ReaderOptions; warnings: Warning[] } {
  const warnings: Warning[] = [];
  const own = checkedOptions<GenerateOptions>(options.providerOptions?.['web-mamba'], ownKinds, { argument: 'providerOptions', within: 'providerOptions.web-mamba.' });
  const thinking = thoughtful(options, info, warnings);
  const { settings, ...calls } = constrained(options, info, warnings);
  return { settings: { ...renamed(options), ...thinking, ...settings, ...own }, ...calls, warnings };
}

function renamed(options: CallOptions): GenerateOptions {
  const names = Object.keys(NAMES) as (keyof typeof NAMES)[];
  const kinds = Object.fromEntries(names.map((name) => [name, answerKinds[NAMES[name]]]));
  const given = checkedOptions<CallOptions>(Object.fromEntries(names.map((name) => [name, options[name]])), kinds);
  return Object.fromEntries(names.flatMap((name) => (given[name] === undefined ? [] : [[NAMES[name], given[name]]])));
}

/** There are no degrees of reasoning: a model thinks or answers at once. */
function thoughtful({ reasoning = 'provider-default' }: CallOptions, { canThink }: Known, warnings: Warning[]): GenerateOptions {
  if (reasoning === 'provider-default') return {};
  if (reasoning === 'none') return { thinking: canThink ? 'skip' : 'off' };
  if (!canThink) {
    warnings.push({ type: 'unsupported', feature: 'reasoning' });
    return {};
  }
  warnings.push({ type: 'compatibility', feature: 'reasoning', details: `${reasoning}: on` });
  return { thinking: 'on' };
}

/** What an answer is held to, or may call. Of tools that cannot be called there is a warning; a call that has to be made is refused. */
function constrained({ responseFormat, tools = [], toolChoice }: CallOptions, info: Known, warnings: Warning[]): { settings: AnswerSettings; calls?: ReaderOptions } {
  const form = responseFormat?.type === 'json' ? { jsonSchema: responseFormat.schema ?? { type: 'object' } } : {};
  if (tools.length === 0 || toolChoice?.type === 'none') return { settings: form };
  const isNeeded = toolChoice?.type === 'required' || toolChoice?.type === 'tool';
  const own = tools.filter((tool) => tool.type === 'function');
  const asked = own.map(({ name, description, inputSchema, strict }) => ({ type: 'function', function: { name, description, parameters: inputSchema, strict } }));
  if (toolChoice?.type === 'tool' && !own.some(({ name }) => name === toolChoice.toolName)) throw wrongOption('toolChoice.toolName', toolChoice.toolName, 'the name of one of the tools');
  const choice = toolChoice?.type === 'tool' ? { type: 'function', function: { name: toolChoice.toolName } } : toolChoice?.type;
  const calls = callsAsked({ tools: asked, tool_choice: choice });
  if (own.length < tools.length) warnings.push({ type: 'unsupported', feature: 'tools', details: 'a tool of a provider’s own' });
  // An answer is either JSON or may call.
  const cannot = !info.toolFormat || responseFormat?.type === 'json';
  if (cannot && !isNeeded && own.length > 0) warnings.push({ type: 'unsupported', feature: 'tools' });
  if (!calls || (cannot && !isNeeded)) return { settings: form };
  if (responseFormat?.type === 'json') throw unsupportedOption('responseFormat', responseFormat.type);
  const { tools: told, form: held, reader } = callsWish(calls, info);
  return { settings: { tools: told, ...(held ? { grammar: held.text } : {}) }, calls: reader };
}
