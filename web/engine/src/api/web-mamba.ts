/** The one way in: loads a model, says whether it would fit, and tends to the models that this browser keeps. */
import { failure } from '../base/failure.ts';
import { EngineClient, type ClientOptions, type ModelClient } from '../client/client.ts';
import type { Availability, OpenProgress, StoredModel } from '../protocol/protocol.ts';
import type { Progress } from '../store/download-job.ts';
import { sourceKey } from '../store/model-source.ts';
import { sha256 } from '../store/sha256.ts';
import { canShare, SharedClient } from '../shared/shared-client.ts';
import type { VerifyResult } from '../store/verify-model.ts';
import { checkArgument, fileHandle, text, wrongOption } from './checks.ts';
import { LoadedModel } from './loaded-model.ts';
import {
  checkedAvailability, checkedCall, checkedExport, checkedLoad, checkedVerify, deviceOf, type AvailabilityOptions, type CallOptions, type ExportOptions, type LoadOptions, type LoadProgress,
  type VerifyOptions,
} from './options.ts';
import { modelSource, type Source } from './source.ts';

/** A model that this browser keeps, as a whole or in part. */
export interface KeptModel extends Omit<StoredModel, 'url'> {
  /** What `WebMamba.load` and the calls of `WebMamba.models` take. */
  id: string;
}

export interface KeptModels {
  /** Those used last come first. */
  list(options?: CallOptions | null): Promise<KeptModel[]>;
  /** Deletes it. One that another tab downloads, verifies or loads stays, with `in-use`. */
  remove(id: string, options?: CallOptions | null): Promise<void>;
  /** Reads it again, and compares it with its hashes: damaged chunks no longer count as kept, and come again with the next `load`. */
  verify(id: string, options?: VerifyOptions | null): Promise<VerifyResult>;
  /**
   * Writes a model's GGUF file, or one part of a split set, into a file: what a picker of the browser gave, or one of its private file system.
   * Every chunk is held to its hash; where the call ends early, the file is as it was before.
   */
  export(id: string, file: FileSystemFileHandle, options?: ExportOptions | null): Promise<void>;
}

export interface WebMambaCalls {
  /**
   * Downloads a model into the browser's storage, where it is not kept already, and opens it in a worker of its own. A download that ended goes
   * on where it stopped; its bytes are held to the hashes that its publisher lists.
   */
  load(source: Source, options?: LoadOptions | null): Promise<LoadedModel>;
  /** Whether a model is kept here, and whether this device can run it, by the beginning of its file. A file that is no model rejects as `load` does. */
  availability(source: Source, options?: AvailabilityOptions | null): Promise<Availability>;
  readonly models: KeptModels;
}

/** `start` makes the workers; tests bring their own. */
export function webMamba(clientOptions: ClientOptions = {}): WebMambaCalls {
  const making = () => new EngineClient(clientOptions);
  return {
    load: (source, options) => load(making, source, options),
    async availability(source, options) {
      const { signal, ...run } = checkedAvailability(options);
      signal?.throwIfAborted();
      const model = await modelSource(source, { signal });
      return during(making, signal, (client) => client.availability(model, deviceOf(run)));
    },
    models: {
      async list(options) {
        const { signal } = checkedCall(options);
        const stored = await during(making, signal, (client) => client.stored());
        return stored.map(({ url, ...model }) => ({ id: url, ...model }));
      },
      async remove(id, options) {
        checkArgument('id', id, text);
        const { signal } = checkedCall(options);
        return during(making, signal, (client) => client.remove(id));
      },
      async verify(id, options) {
        checkArgument('id', id, text);
        const { signal, onProgress } = checkedVerify(options);
        return during(making, signal, (client) => client.verify(id, (progress) => onProgress?.(reported(progress))));
      },
      async export(id, file, options) {
        checkArgument('id', id, text);
        checkArgument('file', file, fileHandle);
        const { signal, onProgress, part = 0 } = checkedExport(options);
        return during(making, signal, async (client) => {
          const model = (await client.stored()).find(({ url }) => url === id);
          if (!model) throw failure('not-stored');
          if (part >= model.parts.length) throw wrongOption('part', part, `below ${model.parts.length}, the number of this model’s parts`);
          await client.exportPart(id, part, file, ({ done, total }) => onProgress?.({ phase: 'export', loaded: done, total }));
        });
      },
    },
  };
}

export const WebMamba: WebMambaCalls = webMamba();

async function load(making: () => EngineClient, source: unknown, options: unknown): Promise<LoadedModel> {
  const { signal, onProgress, store = true, shared = false, ...run } = checkedLoad(options);
  if (shared && !store) throw wrongOption('shared', shared, 'false where the model is not stored: the tab that goes on reads it from the store');
  signal?.throwIfAborted();
  const report = (progress: LoadProgress) => {
    try {
      onProgress?.(progress);
    } catch (thrown) {
      // It is the page's own, and ends no call.
      globalThis.reportError?.(thrown);
    }
  };
  const model = await modelSource(source, { signal, onRead: (loaded, total) => report({ phase: 'read', loaded, total }) });
  const key = sourceKey(model);
  const client: ModelClient = shared && canShare() ? new SharedClient(await sharedName(key, run.chatTemplate), making) : making();
  // The worker ends at once, and what has arrived is kept. Another tab that downloads the same model goes on.
  const abort = () => client.close();
  signal?.addEventListener('abort', abort);
  try {
    const isTemporary = !store && !(await client.stored()).some(({ url }) => url === key);
    const device = deviceOf(run);
    const open = await client.open(model, device, (progress) => report(reported(progress)));
    signal?.throwIfAborted();
    return new LoadedModel({ client, open, device, isTemporary });
  } catch (thrown) {
    client.close();
    signal?.throwIfAborted();
    throw thrown;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/** Tabs whose conversations are written by other templates have models of their own. */
async function sharedName(key: string, chatTemplate: string | undefined): Promise<string> {
  if (chatTemplate === undefined) return key;
  const digest = await sha256(new TextEncoder().encode(chatTemplate));
  return `${key} ${[...digest.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** One call in a worker that ends with it. With `signal` the worker ends at once. */
async function during<T>(making: () => EngineClient, signal: AbortSignal | undefined, call: (client: EngineClient) => Promise<T>): Promise<T> {
  signal?.throwIfAborted();
  const client = making();
  const abort = () => client.close();
  signal?.addEventListener('abort', abort);
  try {
    return await call(client);
  } catch (thrown) {
    signal?.throwIfAborted();
    throw thrown;
  } finally {
    signal?.removeEventListener('abort', abort);
    client.close();
  }
}

function reported({ step, phase = 'download', done, total }: Progress & Partial<Pick<OpenProgress, 'step'>>): LoadProgress {
  return { phase: step === 'load' ? 'load' : phase, loaded: done, total };
}
