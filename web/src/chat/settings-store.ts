/** What the visitor set for every conversation; where the browser keeps nothing, until the page is closed. */
import type { AppDatabase } from '../data/app-database';
import { soundChoice, type SamplingChange, type SamplingChoice } from './sampling';

export class SettingsStore {
  sampling: SamplingChoice = {};
  /** Whether a model that can think does so before it answers. */
  thinks = false;

  constructor(private readonly database: AppDatabase) {}

  /** Where the browser gives nothing, nothing was set. */
  async read(): Promise<void> {
    const read = (key: string) => this.database.get('settings', key).catch(() => undefined);
    this.sampling = soundChoice(await read('sampling'));
    this.thinks = (await read('thinks')) === true;
  }

  /** A value out of its range is as good as none. */
  async set({ key, value }: SamplingChange): Promise<void> {
    await this.#keep(soundChoice({ ...this.sampling, [key]: value }));
  }

  async setThinks(thinks: boolean): Promise<void> {
    this.thinks = thinks;
    await this.database.keep('thinks', async () => void (await this.database.put('settings', thinks, 'thinks')));
  }

  async reset(): Promise<void> {
    await this.#keep({});
  }

  async #keep(choice: SamplingChoice): Promise<void> {
    this.sampling = choice;
    await this.database.keep('sampling', async () => void (await this.database.put('settings', choice, 'sampling')));
  }
}
