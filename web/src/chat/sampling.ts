/** How the next token is chosen: what the visitor set, else what suits the preset, else the model, else everyone. */
import { GENERATE_DEFAULTS, type GenerateOptions } from 'web-mamba';

export type SamplingKey = 'maxTokens' | 'temperature' | 'topK' | 'topP' | 'minP' | 'repetitionPenalty' | 'seed';

/** What the visitor set; what is absent keeps its default. */
export type SamplingChoice = Partial<Record<SamplingKey, number>>;

/** One of them set anew; without a value it goes back to its default. */
export interface SamplingChange {
  key: SamplingKey;
  value: number | undefined;
}

export interface SamplingRange {
  key: SamplingKey;
  least: number;
  most: number;
  step: number;
}

export const samplingRanges: readonly SamplingRange[] = [
  { key: 'temperature', least: 0, most: 2, step: 0.05 },
  { key: 'topP', least: 0.05, most: 1, step: 0.05 },
  { key: 'topK', least: 0, most: 200, step: 1 },
  { key: 'minP', least: 0, most: 0.5, step: 0.01 },
  { key: 'repetitionPenalty', least: 1, most: 1.5, step: 0.01 },
  { key: 'maxTokens', least: 16, most: 8192, step: 16 },
];

/** A seed of -1 is a new one for every answer. */
export const RANDOM_SEED = -1;

/** The engine's, but for the length: a visitor sees an answer grow and can stop it. */
const { temperature, topK, topP, minP, repetitionPenalty } = GENERATE_DEFAULTS;
const DEFAULTS: Required<SamplingChoice> = { maxTokens: 1024, temperature, topK, topP, minP, repetitionPenalty, seed: RANDOM_SEED };

export function defaultSampling(...suited: (GenerateOptions | undefined)[]): Required<SamplingChoice> {
  return Object.assign({ ...DEFAULTS }, ...suited) as Required<SamplingChoice>;
}

/** What the engine takes. */
export function generateOptions(choice: SamplingChoice, ...suited: (GenerateOptions | undefined)[]): GenerateOptions {
  const { seed, ...options } = { ...defaultSampling(...suited), ...choice };
  return { ...options, seed: seed >= 0 ? seed : (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) };
}

/** Only numbers within their range; anything else a stored or imported choice holds is dropped. */
export function soundChoice(value: unknown): SamplingChoice {
  if (typeof value !== 'object' || value === null) return {};
  const choice: SamplingChoice = {};
  for (const { key, least, most } of [...samplingRanges, { key: 'seed' as const, least: RANDOM_SEED, most: 2 ** 32 - 1 }]) {
    const number = (value as Record<string, unknown>)[key];
    if (typeof number === 'number' && number >= least && number <= most) choice[key] = number;
  }
  return choice;
}
