/** Installing the page as an app, where the browser offers it. */
interface InstallEvent extends Event {
  prompt(): Promise<unknown>;
}

export class Install {
  #offer: InstallEvent | undefined;
  #changed: () => void = () => undefined;

  constructor() {
    addEventListener('beforeinstallprompt', (event) => {
      // Its own bar would come at a moment of its own choice.
      event.preventDefault();
      this.#offer = event as InstallEvent;
      this.#changed();
    });
    addEventListener('appinstalled', () => this.#forget());
  }

  get isOffered(): boolean {
    return this.#offer !== undefined;
  }

  onChange(listener: () => void): void {
    this.#changed = listener;
  }

  /** Needs a press of the visitor's; an offer is good for one question. */
  ask(): void {
    void this.#offer?.prompt().catch(() => undefined);
    this.#forget();
  }

  #forget(): void {
    this.#offer = undefined;
    this.#changed();
  }
}
