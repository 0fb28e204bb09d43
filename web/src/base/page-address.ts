/** What the page's address says: the one place where the choice of a model, and of what is shown, is kept. */
import type { DeviceOptions, TunedOrder } from 'web-mamba';

export type View = 'chat' | 'documents';

/** What is shown, as the address says it. */
export interface Shown {
  /** `?view=`. */
  view: View;
  /** `?chat=`: the conversation that is shown. */
  chat: string | null;
  /** `?document=`. */
  shownDocument: string | null;
}

/** What the page's address asks for; the address is the one place where the choice of a model, and of what is shown, is kept. */
export interface PageAddress extends Shown {
  readonly base: string;
  readonly device: DeviceOptions;
  /** `?model=`: a catalogue id, an address, or the key of a stored model. */
  model: string | null;
  /** `?state=`: the address of a saved state to begin from. */
  state: string | null;
  /** `?order=`: that of a tuned state's numbers, where its name does not say it right. */
  readonly order: TunedOrder | undefined;
  /** Moves on to what is shown next, so that the browser's way back leads here again. Setting a value only corrects the address. */
  go(shown: Partial<Shown>): void;
  /** Calls back when the visitor went back or forth. */
  onReturn(listener: () => void): void;
}
