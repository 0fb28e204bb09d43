/** What the visitor set for every conversation; where the browser keeps nothing, until the page is closed. */
import type { AppDatabase } from '../data/app-database';
import { isEffort, type Effort } from '../models/effort';
import { soundPrompts, type OwnPrompt } from './own-prompts';
import { soundChoice, type SamplingChange, type SamplingChoice } from './sampling';

export class SettingsStore {
  sampling: SamplingChoice = {};
  /** Whether a model that can think does so before it answers. */
  thinks = false;
  /** How much of the machine's time a model takes. */
  effort: Effort = 'auto';

  prompts: readonly OwnPrompt[] = [];
  /** The visitor has seen that the page can be installed. */
  installHinted = false;
  /** What was set before is known. */
  isRead = false;

  constructor(private readonly database: AppDatabase) {}

  /** Where the browser gives nothing, nothing was set. */
  async read(): Promise<void> {
    const read = (key: string) => this.database.get('settings', key).catch(() => undefined);
    this.sampling = soundChoice(await read('sampling'));
    this.thinks = (await read('thinks')) === true;
    this.prompts = soundPrompts(await read('prompts'));
    this.installHinted = (await read('install hint')) === true;
    const effort = await read('effort');
    this.effort = isEffort(effort) ? effort : 'auto';
    this.isRead = true;
  }

  /** A value out of its range is as good as none. */
  async set({ key, value }: SamplingChange): Promise<void> {
    await this.#keep(soundChoice({ ...this.sampling, [key]: value }));
  }

  async setThinks(thinks: boolean): Promise<void> {
    this.thinks = thinks;
    await this.database.keep('thinks', async () => void (await this.database.put('settings', thinks, 'thinks')));
  }

  async setEffort(effort: Effort): Promise<void> {
    this.effort = effort;
    await this.database.keep('effort', async () => void (await this.database.put('settings', effort, 'effort')));
  }

  async setPrompts(prompts: readonly OwnPrompt[]): Promise<void> {
    this.prompts = soundPrompts(prompts);
    await this.database.keep('prompts', async () => void (await this.database.put('settings', this.prompts, 'prompts')));
  }

  async setInstallHinted(): Promise<void> {
    this.installHinted = true;
    await this.database.keep('install hint', async () => void (await this.database.put('settings', true, 'install hint')));
  }

  async reset(): Promise<void> {
    await this.#keep({});
  }

  async #keep(choice: SamplingChoice): Promise<void> {
    this.sampling = choice;
    await this.database.keep('sampling', async () => void (await this.database.put('settings', choice, 'sampling')));
  }
}
