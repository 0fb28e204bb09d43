/** The page's own address, where the choice of model and backend is kept. */
import type { PageAddress } from '../app/page-data';
import type { Backend } from '../engine/protocol';

export class AddressBar implements PageAddress {
  get base(): string {
    return document.baseURI;
  }

  get backend(): Backend {
    const asked = this.#params().get('backend');
    return asked === 'cpu' || asked === 'webgpu' ? asked : 'auto';
  }

  get model(): string | null {
    return this.#params().get('model');
  }

  set model(model: string | null) {
    const url = new URL(location.href);
    if (model === null) url.searchParams.delete('model');
    else url.searchParams.set('model', model);
    if (url.href !== location.href) history.replaceState(null, '', url);
  }

  #params(): URLSearchParams {
    return new URLSearchParams(location.search);
  }
}
