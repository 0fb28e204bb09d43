/** What the page does with models that are kept: lists, verifies, exports and deletes them. One verification or export at a time. */
import { roomLeft, safeName, type EngineWorker, type Room, type StoredModel } from 'web-mamba';
import { toFailure, type Tell } from '../base/failure';
import type { ModelsView, StorageTask } from './models-data';

export class StorageTasks {
  models: StoredModel[] = [];
  room: Room | undefined;
  task: StorageTask | undefined;

  constructor(
    private readonly engine: EngineWorker,
    private readonly page: Pick<ModelsView, 'exportFiles'>,
    private readonly changed: () => void,
    private readonly failed: Tell,
  ) {}

  async list(): Promise<void> {
    this.models = await this.engine.stored().catch(() => []);
    this.room = await roomLeft().catch(() => undefined);
    this.changed();
  }

  async remove({ url }: StoredModel): Promise<void> {
    await this.#guarded(`remove ${url}`, () => this.engine.remove(url));
    if (this.task?.url === url) this.task = undefined;
    await this.list();
  }

  async verify({ url }: StoredModel): Promise<void> {
    await this.#run({ url, kind: 'verify', done: 0, total: 0 }, async (task) => {
      const { bad } = await this.engine.verify(url, ({ done, total }) => this.#progress(task, done, total));
      task.bad = bad;
    });
  }

  /** Each part becomes a file of its own, as it was downloaded. */
  async export({ url, parts }: StoredModel): Promise<void> {
    await this.#run({ url, kind: 'export', done: 0, total: 0 }, async (task) => {
      const files = await this.page.exportFiles(parts.map(safeName));
      // The visitor closed the dialog that asks where to.
      if (!files) return this.#forget(task);
      for (const [part, { handle, finish }] of files.entries()) {
        await this.engine.exportPart(url, part, handle, ({ done, total }) => this.#progress(task, done, total));
        await finish();
      }
    });
  }

  async end(): Promise<void> {
    this.task = undefined;
    this.changed();
    await this.#guarded('end', () => this.engine.endTask());
  }

  async #guarded(about: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.failed(undefined, about);
    } catch (thrown) {
      this.failed(toFailure(thrown), about);
    }
  }

  async #run(task: StorageTask, work: (task: StorageTask) => Promise<void>): Promise<void> {
    this.task = task;
    this.changed();
    try {
      await work(task);
      task.ended = true;
      this.failed(undefined, `${task.kind} ${task.url}`);
    } catch (thrown) {
      this.#forget(task);
      const fault = toFailure(thrown);
      if (fault.code !== 'cancelled') this.failed(fault, `${task.kind} ${task.url}`);
    }
    await this.list();
  }

  #progress(task: StorageTask, done: number, total: number): void {
    if (this.task !== task) return;
    Object.assign(task, { done, total });
    this.changed();
  }

  #forget(task: StorageTask): void {
    if (this.task === task) this.task = undefined;
  }
}
