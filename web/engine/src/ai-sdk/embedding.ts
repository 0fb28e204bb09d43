/** A model as an embedding model of the AI SDK (`EmbeddingModelV4`): a text is the mean of the model's hidden states over it, of length 1. */
import { checkedOptions, wrongOption } from '../api/checks.ts';
import type { LoadedModel } from '../api/loaded-model.ts';
import { poolingKinds } from '../api/options.ts';
import { identityOf } from './identity.ts';
import { PROVIDER, type EmbeddingCallOptions, type EmbeddingResult, type WebMambaEmbeddingModel } from './types.ts';

/** Texts of one call; of more, the SDK makes several. */
const MOST_TEXTS = 64;

/** The model for `embed` and `embedMany`. */
export function webMambaEmbedding(model: LoadedModel): WebMambaEmbeddingModel {
  return {
    ...identityOf(model),
    maxEmbeddingsPerCall: MOST_TEXTS,
    // Calls of a model take turns.
    supportsParallelCalls: false,
    doEmbed: (options) => embedded(model, options),
  };
}

async function embedded(model: LoadedModel, { values, dimensions, abortSignal, providerOptions }: EmbeddingCallOptions): Promise<EmbeddingResult> {
  if (dimensions !== undefined && dimensions !== model.info.dModel) throw wrongOption('dimensions', dimensions, `absent or ${model.info.dModel}, the size of this model’s vectors`);
  const own = checkedOptions<{ pooling: 'mean' | 'last'; normalize: boolean }>(providerOptions?.[PROVIDER], poolingKinds, { argument: 'providerOptions', within: `providerOptions.${PROVIDER}.` });
  const embeddings = (await model.embed(values, { ...own, signal: abortSignal })).map((vector) => [...vector]);
  let tokens = 0;
  for (const value of values) tokens += await model.countTokens(value, { signal: abortSignal });
  return { embeddings, usage: { tokens }, warnings: [] };
}
