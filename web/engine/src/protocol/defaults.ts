/** What a generation takes where nothing else is said: the engine's own defaults, for those who show or compute with them. */
import type { GenerateOptions } from './protocol.ts';

/** The options of a generation that are not given. */
export const GENERATE_DEFAULTS = {
  maxTokens: 512,
  temperature: 0.7,
  topK: 40,
  topP: 0.95,
  minP: 0.05,
  repetitionPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  penaltyLastN: 64,
} as const satisfies GenerateOptions;
