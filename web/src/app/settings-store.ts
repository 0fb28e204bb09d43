/** What the visitor set for every conversation. */
import type { AppDatabase } from './app-database';
import { soundChoice, type SamplingChoice } from './sampling';

export class SettingsStore {
  sampling: SamplingChoice = {};

  constructor(private readonly database: Promise<AppDatabase>) {}

  async read(): Promise<void> {
    this.sampling = soundChoice(await (await this.database).get('settings', 'sampling'));
  }

  async setSampling(choice: SamplingChoice): Promise<void> {
    this.sampling = choice;
    await (await this.database).put('settings', choice, 'sampling');
  }
}
