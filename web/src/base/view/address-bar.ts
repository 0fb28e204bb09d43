/** The page's own address, where the choice of model and device is kept, and what is shown. Moving on can be taken back. */
import type { DeviceOptions, TunedOrder } from 'web-mamba';
import type { PageAddress, Shown, View } from '../page-address';

export class AddressBar implements PageAddress {
  get base(): string {
    return document.baseURI;
  }

  /** `?backend=`, `?activations=` and `?workers=`; what is none of the values that they may have is as good as absent. */
  get device(): DeviceOptions {
    const [backend, activations] = ['backend', 'activations'].map((name) => this.#get(name));
    const workers = this.count('workers', 0);
    return {
      backend: backend === 'cpu' || backend === 'webgpu' ? backend : 'auto',
      ...(activations === 'f32' || activations === 'q8' ? { activations } : {}),
      ...(workers > 0 ? { workers: { count: workers } } : {}),
    };
  }

  /** A whole number above 0 of the address. */
  count(name: string, otherwise: number): number {
    const value = Number(this.#get(name));
    return Number.isInteger(value) && value > 0 ? value : otherwise;
  }

  get model(): string | null {
    return this.#get('model');
  }

  set model(model: string | null) {
    this.#set('model', model);
  }

  get state(): string | null {
    return this.#get('state');
  }

  set state(state: string | null) {
    this.#set('state', state);
    if (state === null) this.#set('order', null);
  }

  get order(): TunedOrder | undefined {
    const order = this.#get('order');
    return order === 'value-key' || order === 'key-value' ? order : undefined;
  }

  get view(): View {
    return this.#get('view') === 'documents' ? 'documents' : 'chat';
  }

  set view(view: View) {
    this.#set('view', view === 'chat' ? null : view);
  }

  get chat(): string | null {
    return this.#get('chat');
  }

  set chat(id: string | null) {
    this.#set('chat', id);
  }

  get shownDocument(): string | null {
    return this.#get('document');
  }

  set shownDocument(id: string | null) {
    this.#set('document', id);
  }

  go({ view = this.view, chat = this.chat, shownDocument = this.shownDocument }: Partial<Shown>): void {
    const url = new URL(location.href);
    for (const [name, value] of [['view', view === 'chat' ? null : view], ['chat', chat], ['document', shownDocument]] as const) changed(url, name, value);
    if (url.href !== location.href) history.pushState(null, '', url);
  }

  onReturn(listener: () => void): void {
    window.addEventListener('popstate', listener);
  }

  #get(name: string): string | null {
    return new URLSearchParams(location.search).get(name);
  }

  #set(name: string, value: string | null): void {
    const url = changed(new URL(location.href), name, value);
    if (url.href !== location.href) history.replaceState(null, '', url);
  }
}

function changed(url: URL, name: string, value: string | null): URL {
  if (value === null) url.searchParams.delete(name);
  else url.searchParams.set(name, value);
  return url;
}
