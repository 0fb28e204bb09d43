/** Typed events for components. */
export class Emitter<Events> {
  readonly #listeners = new Map<keyof Events, (detail: never) => void>();

  /** Sets the one listener of an event; there is one controller, so a second is never needed. */
  on<Name extends keyof Events>(name: Name, listener: (detail: Events[Name]) => void): void {
    this.#listeners.set(name, listener);
  }

  protected emit<Name extends keyof Events>(name: Name, ...detail: Events[Name] extends undefined ? [] : [Events[Name]]): void {
    (this.#listeners.get(name) as ((detail?: Events[Name]) => void) | undefined)?.(...detail);
  }
}
