/** What the visitor set for every conversation; where the browser keeps nothing, until the page is closed. */
import type { AppDatabase } from '../data/app-database';
import { soundChoice, type SamplingChange, type SamplingChoice } from './sampling';

export class SettingsStore {
  sampling: SamplingChoice = {};

  constructor(private readonly database: AppDatabase) {}

  /** Where the browser gives nothing, nothing was set. */
  async read(): Promise<void> {
    this.sampling = soundChoice(await this.database.get('settings', 'sampling').catch(() => undefined));
  }

  /** A value out of its range is as good as none. */
  async set({ key, value }: SamplingChange): Promise<void> {
    await this.#keep(soundChoice({ ...this.sampling, [key]: value }));
  }

  async reset(): Promise<void> {
    await this.#keep({});
  }

  async #keep(choice: SamplingChoice): Promise<void> {
    this.sampling = choice;
    await this.database.keep('sampling', async () => void (await this.database.put('settings', choice, 'sampling')));
  }
}
