/** The calls about what is kept: list, delete, verify, export. They need no engine. */
import { failure, toFailure } from '../base/failure.ts';
import type { StoredModel } from '../protocol/protocol.ts';
import type { Progress } from '../store/download-job.ts';
import { exportPart, type ExportTarget } from '../store/export-model.ts';
import { modelBytes, modelStoredBytes } from '../store/model-record.ts';
import type { ModelStore } from '../store/model-store.ts';
import { reading, undisturbed } from '../store/neighbours.ts';
import { verifyModel, type VerifyResult } from '../store/verify-model.ts';

export class StoredModels {
  /** Of the verification or export that runs. */
  #task = new AbortController();

  constructor(protected readonly store: Promise<ModelStore>) {}

  async stored(): Promise<StoredModel[]> {
    const models = await (await this.store).list();
    return models.map((model) => ({
      url: model.url,
      name: model.name,
      bytes: modelBytes(model),
      stored: modelStoredBytes(model),
      complete: model.complete,
      verification: model.verification,
      inPlace: model.handles !== undefined,
      remote: model.origin !== null,
      parts: model.parts.map(({ name }) => name),
    }));
  }

  async remove(url: string): Promise<void> {
    const store = await this.store;
    await undisturbed(url, () => store.remove(url));
  }

  async verify(url: string, onProgress: (progress: Progress) => void): Promise<VerifyResult> {
    const store = await this.store;
    return this.#run((signal) => undisturbed(url, () => verifyModel(store, url, onProgress, signal)));
  }

  async exportPart(url: string, part: number, target: ExportTarget, onProgress: (progress: Progress) => void): Promise<void> {
    const store = await this.store;
    await this.#run((signal) => reading(url, signal, () => undefined, () => exportPart(store, url, part, target, onProgress, signal)));
  }

  async endTask(): Promise<void> {
    this.#task.abort();
  }

  async handles(url: string): Promise<FileSystemFileHandle[]> {
    return (await (await this.store).find(url))?.handles ?? [];
  }

  async #run<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#task.abort();
    const { signal } = (this.#task = new AbortController());
    try {
      return await work(signal);
    } catch (thrown) {
      const fault = toFailure(thrown);
      throw fault.code === 'cancelled' ? failure('cancelled') : fault;
    }
  }
}
