/** How fast models came to this device, so that the time of a download can be told before it begins, also at the next visit. */
import type { AppDatabase } from '../data/app-database';

const NAME = 'download-speed';

export class DownloadSpeed {
  /** Bytes per second; undefined while nothing was measured. */
  #rate: number | undefined;

  constructor(private readonly database: Pick<AppDatabase, 'get' | 'put'>) {}

  /** What cannot be read is measured again. */
  async read(): Promise<void> {
    const kept: unknown = await this.database.get('settings', NAME).catch(() => undefined);
    if (typeof kept === 'number' && kept > 0) this.#rate ??= kept;
  }

  /** Over the last seconds of a download; the newest counts, since connections change. */
  take(rate: number): void {
    if (rate > 0) this.#rate = rate;
  }

  /** Best effort: without a store it is measured again. */
  keep(): void {
    if (this.#rate !== undefined) this.database.put('settings', this.#rate, NAME).catch((thrown: unknown) => console.warn('the speed could not be kept', thrown));
  }

  seconds(bytes: number): number | undefined {
    return this.#rate === undefined ? undefined : bytes / this.#rate;
  }
}
