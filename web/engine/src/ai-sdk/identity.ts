/** What models of this provider say of themselves. */
import { wrongArgument } from '../api/checks.ts';
import { LoadedModel } from '../api/loaded-model.ts';
import { PROVIDER } from './types.ts';

/** @throws {MambaError} where it is no loaded model. */
export function identityOf(model: LoadedModel) {
  if (!(model instanceof LoadedModel)) throw wrongArgument('model', model, 'what WebMamba.load gives');
  return { specificationVersion: 'v4', provider: PROVIDER, modelId: model.name } as const;
}
