/** What the visitor set for every conversation. */
import type { AppDatabase } from './app-database';
import { soundChoice, type SamplingChange, type SamplingChoice } from './sampling';

export class SettingsStore {
  sampling: SamplingChoice = {};

  constructor(private readonly database: Promise<AppDatabase>) {}

  async read(): Promise<void> {
    this.sampling = soundChoice(await (await this.database).get('settings', 'sampling'));
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
    await (await this.database).put('settings', choice, 'sampling');
  }
}
