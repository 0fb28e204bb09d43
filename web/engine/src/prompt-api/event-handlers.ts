/** Attributes such as `oncontextoverflow`: a handler that is set takes the place of the one before. */
type Handler = (event: Event) => unknown;

export class EventHandlers {
  readonly #handlers = new Map<string, { handler: Handler; listener: (event: Event) => void }>();

  constructor(private readonly target: EventTarget) {}

  of(type: string): Handler | null {
    return this.#handlers.get(type)?.handler ?? null;
  }

  /** What is no function unsets it. */
  set(type: string, handler: unknown): void {
    const before = this.#handlers.get(type);
    if (before) this.target.removeEventListener(type, before.listener);
    this.#handlers.delete(type);
    if (typeof handler !== 'function') return;
    const listener = (event: Event) => void (handler as Handler).call(this.target, event);
    this.#handlers.set(type, { handler: handler as Handler, listener });
    this.target.addEventListener(type, listener);
  }
}
