/** The options of `LanguageModel.create` and `availability`, checked, and what they come to for the engine. */
import { GENERATE_DEFAULTS } from '../protocol/defaults.ts';
import type { GenerateOptions } from '../base/wasm-engine.ts';
import { callback, listOf, oneOf, signal, unsupportedOption, wrongOption, type Kind, type Kinds } from '../api/checks.ts';
import type { MambaError } from '../base/failure.ts';
import { rangeError, typeError } from './exceptions.ts';
import { canonicalTags, membersOf } from './members.ts';
import type { CreateMonitorCallback, Expected, LanguageModelParams, SamplingMode, Tool } from './types.ts';

/** The numbers of the modes are this package's own; the balanced ones are those of `generate`. */
const MODES: Readonly<Record<SamplingMode, number>> = {
  'most-predictable': 0, predictable: 0.3, balanced: GENERATE_DEFAULTS.temperature, creative: 1, 'most-creative': 1.3,
};

export const PARAMS: LanguageModelParams = Object.freeze({
  defaultTopK: GENERATE_DEFAULTS.topK, maxTopK: 1000, defaultTemperature: GENERATE_DEFAULTS.temperature, maxTemperature: 2,
});

export type Sampling = Required<Pick<GenerateOptions, 'topK' | 'temperature'>>;

const numeric: Kind = { fits: (value) => typeof value === 'number' && !Number.isNaN(value), expected: 'a number' };
const items = listOf('an array', () => true);

const coreKinds: Kinds = {
  expectedInputs: items, expectedOutputs: items, tools: items, samplingMode: oneOf(...Object.keys(MODES)), topK: numeric, temperature: numeric,
};
export const creatingKinds: Kinds = { signal, monitor: callback };
const sequence: Kind = { fits: (value) => typeof value === 'object' && value !== null && Symbol.iterator in value, expected: 'an array of messages' };
const expectedKinds: Kinds = { type: oneOf('text', 'image', 'audio', 'tool-call', 'tool-response'), languages: items };

interface Members {
  expectedInputs: unknown[];
  expectedOutputs: unknown[];
  tools: Tool[];
  samplingMode: SamplingMode;
  topK: number;
  temperature: number;
  signal: AbortSignal;
  monitor: CreateMonitorCallback;
  initialPrompts: Iterable<unknown>;
}

export interface CreateWish {
  sampling: Sampling;
  /** What the engine does not have and was asked for. */
  missing: MambaError | undefined;
  signal: AbortSignal | undefined;
  monitor: CreateMonitorCallback | undefined;
  initialPrompts: unknown[];
}

export function createWish(given: unknown): CreateWish {
  const members = membersOf<Members>(given, { ...coreKinds, ...creatingKinds, initialPrompts: sequence });
  const { tools = [], signal: ends, monitor, initialPrompts = [] } = members;
  const foreign = [...expectedOf(members.expectedInputs, 'expectedInputs'), ...expectedOf(members.expectedOutputs, 'expectedOutputs')].find(({ type }) => type !== 'text');
  const missing = tools.length > 0 ? unsupportedOption('tools', tools) : foreign && unsupportedOption(foreign.option, foreign.type);
  return { sampling: samplingOf(members), missing, signal: ends, monitor, initialPrompts: [...initialPrompts] };
}

/** Every language is taken: which of them a model knows, nothing says. */
function expectedOf(given: readonly unknown[] = [], name: string): { option: string; type: string }[] {
  return given.map((each, at) => {
    const option = `${name}[${at}]`;
    if (typeof each !== 'object' || each === null) throw typeError(wrongOption(option, each, 'an object with a type'));
    const { type, languages = [] } = membersOf<Expected>(each, expectedKinds);
    if (type === undefined) throw typeError(wrongOption(`${option}.type`, type, expectedKinds.type?.expected ?? ''));
    canonicalTags(languages, `${option}.languages`);
    return { option: `${option}.type`, type };
  });
}

function samplingOf({ samplingMode, topK, temperature }: Partial<Members>): Sampling {
  if (samplingMode !== undefined && (topK !== undefined || temperature !== undefined)) {
    throw typeError(wrongOption('samplingMode', samplingMode, 'absent, as it is to be beside topK and temperature'));
  }
  if (topK !== undefined && topK < 1) throw rangeError(wrongOption('topK', topK, '1 or more'));
  if (temperature !== undefined && temperature < 0) throw rangeError(wrongOption('temperature', temperature, '0 or more'));
  return {
    topK: Math.floor(Math.min(topK ?? PARAMS.defaultTopK, PARAMS.maxTopK)),
    temperature: Math.min(temperature ?? MODES[samplingMode ?? 'balanced'], PARAMS.maxTemperature),
  };
}
