/** Whether a model is kept here, and whether this device can run it, by the beginning of its file alone. */
import type { ModelPlan } from '../../pkg/web_mamba.js';
import { deviceMemory } from '../base/device-memory.ts';
import { failure } from '../base/failure.ts';
import type { ByteSource, WasmEngine } from '../base/wasm-engine.ts';
import type { Availability, DeviceOptions } from '../protocol/protocol.ts';
import { planOf, type PlanOptions } from '../store/acquire.ts';
import { Fault, givenUp } from '../store/fault.ts';
import { CHUNK_BYTES, modelBytes, modelStoredBytes, type ModelRecord } from '../store/model-record.ts';
import { fileParts, sourceKey, type ModelSource, type RemoteSource } from '../store/model-source.ts';
import type { ModelStore } from '../store/model-store.ts';
import { beginningOf } from '../store/range-request.ts';
import { FileInPlace, storedFiles } from '../store/stored-file.ts';
import { HeaderSource } from './check-fits.ts';

/** Bytes of a file that are asked for until its header is whole: most headers are a vocabulary of some megabytes. */
const BEGINNINGS = [CHUNK_BYTES / 16, CHUNK_BYTES / 4, CHUNK_BYTES];
/** Someone waits for the answer. */
const WAIT_MILLISECONDS = 30_000;

interface Means extends Required<Pick<PlanOptions, 'env' | 'limits'>>, Pick<PlanOptions, 'hubBase'> {
  store: ModelStore;
  engine: Pick<WasmEngine, 'planModel'>;
}

type Judge = (sources: ByteSource[]) => Promise<ModelPlan>;

interface Judged {
  plan: ModelPlan;
  /** Of the whole model; 0 while unknown. */
  bytes: number;
}

export async function availabilityOf(means: Means, source: ModelSource, device: DeviceOptions): Promise<Availability> {
  const { store, engine } = means;
  const memory = deviceMemory();
  const judge: Judge = (sources) => engine.planModel(sources, { ...device, ...(memory ? { memory } : {}) });
  const record = await store.get(sourceKey(source));
  const { plan, bytes } = await judged(means, judge, source, record);
  const { code, message, remedy } = plan.problem ?? {};
  return {
    downloaded: record?.complete ? 'yes' : record && modelStoredBytes(record) > 0 ? 'partly' : 'no',
    stored: record ? modelStoredBytes(record) : 0,
    bytes: (record && modelBytes(record)) || bytes,
    fits: plan.fits,
    backend: plan.device.backend,
    ...(code !== undefined && message !== undefined && remedy !== undefined ? { problem: { code, message, remedy } } : {}),
    doubts: plan.doubts.map((doubt) => doubt.code),
  };
}

async function judged(means: Means, judge: Judge, source: ModelSource, record: ModelRecord | undefined): Promise<Judged> {
  if (record?.complete) return { plan: await judge(await storedFiles(means.store, record)), bytes: modelBytes(record) };
  if (source.kind === 'files') {
    const files = fileParts(source.files);
    const plan = await judge(files.map((file) => new FileInPlace(file, file.size)));
    return { plan, bytes: files.reduce((sum, { size }) => sum + size, 0) };
  }
  const origin = source.kind === 'stored' ? record?.origin : source;
  if (!origin) throw failure('not-stored');
  return judgedRemote(means, judge, origin, sourceKey(source));
}

async function judgedRemote({ env, limits, hubBase }: Means, judge: Judge, origin: RemoteSource, url: string): Promise<Judged> {
  const signal = AbortSignal.timeout(WAIT_MILLISECONDS);
  try {
    const { name, parts } = await planOf(origin, url, { env, limits, signal, ...(hubBase ? { hubBase } : {}) });
    const listed = parts.reduce((sum, { length }) => sum + (length ?? NaN), 0);
    const [first] = parts;
    if (!first) throw failure('split', {}, name);
    for (const length of BEGINNINGS) {
      const { bytes: header, total } = await beginningOf(env, first.url, length, limits.stall, signal).catch((thrown: unknown) => {
        throw thrown instanceof Fault ? givenUp(thrown, name, first.url, 0, false) : thrown;
      });
      const bytes = listed || (parts.length === 1 ? (total ?? 0) : 0);
      const source = new HeaderSource(header, bytes);
      try {
        return { plan: await judge([source]), bytes };
      } catch (thrown) {
        if (!source.ranOut || header.length < length) throw thrown;
      }
    }
    throw failure('malformed-gguf', {}, `the header of ${name} is longer than ${CHUNK_BYTES} bytes`);
  } catch (thrown) {
    throw signal.aborted ? failure('network', { host: new URL(url).host }, 'no answer in time') : thrown;
  }
}
