/** The page's own address, where the choice of model and device is kept. */
import type { PageAddress } from '../app/page-data';
import type { DeviceOptions } from '../engine/protocol';

export class AddressBar implements PageAddress {
  get base(): string {
    return document.baseURI;
  }

  /** `?backend=`, `?activations=` and `?workers=`; what is none of the values that they may have is as good as absent. */
  get device(): DeviceOptions {
    const [backend, activations] = ['backend', 'activations'].map((name) => this.#params().get(name));
    const workers = this.count('workers', 0);
    return {
      backend: backend === 'cpu' || backend === 'webgpu' ? backend : 'auto',
      ...(activations === 'f32' || activations === 'q8' ? { activations } : {}),
      ...(workers > 0 ? { workers: { count: workers } } : {}),
    };
  }

  /** A whole number above 0 of the address. */
  count(name: string, otherwise: number): number {
    const value = Number(this.#params().get(name));
    return Number.isInteger(value) && value > 0 ? value : otherwise;
  }

  get model(): string | null {
    return this.#params().get('model');
  }

  set model(model: string | null) {
    this.#set('model', model);
  }

  get state(): string | null {
    return this.#params().get('state');
  }

  set state(state: string | null) {
    this.#set('state', state);
  }

  #set(name: string, value: string | null): void {
    const url = new URL(location.href);
    if (value === null) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
    if (url.href !== location.href) history.replaceState(null, '', url);
  }

  #params(): URLSearchParams {
    return new URLSearchParams(location.search);
  }
}
