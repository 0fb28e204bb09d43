/** The service worker: registers it, notices when a newer version of the page is stored, and moves on to it when the visitor says so. */
import type { Updates } from '../controller';

export class PageUpdates implements Updates {
  #waiting: ServiceWorker | null = null;
  /** Another tab has moved on: what this one shows is of an older version. */
  #outdated = false;
  #changed: () => void = () => undefined;

  constructor() {
    // Without one (plain http, private windows of some browsers) the page works as it came.
    if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
    void this.#register().catch(() => undefined);
  }

  get waiting(): boolean {
    return this.#outdated || this.#waiting !== null;
  }

  onChange(listener: () => void): void {
    this.#changed = listener;
  }

  use(): void {
    if (!this.#waiting) return location.reload();
    // Only once the new one has taken over, so that no two versions ever mix.
    navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true });
    this.#waiting.postMessage('use');
  }

  async #register(): Promise<void> {
    const registration = await navigator.serviceWorker.register('./service-worker.js', { updateViaCache: 'none' });
    this.#noticeWaiting(registration);
    // Before the first one there was nothing to be older than.
    const controlled = navigator.serviceWorker.controller !== null;
    navigator.serviceWorker.addEventListener('controllerchange', () => {
      this.#outdated = controlled;
      this.#changed();
    });
    registration.addEventListener('updatefound', () => {
      const { installing } = registration;
      installing?.addEventListener('statechange', () => this.#noticeWaiting(registration));
    });
    // The first visit is for the page and its model; what it may need one day, without a network, comes after.
    void navigator.serviceWorker.ready.then(({ active }) => active?.postMessage('rest'));
    // A tab that stays open for days still hears of a new version.
    document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && void registration.update().catch(() => undefined));
  }

  #noticeWaiting({ waiting, active }: ServiceWorkerRegistration): void {
    // The first one of all replaces nothing.
    this.#waiting = active ? waiting : null;
    this.#changed();
  }
}
