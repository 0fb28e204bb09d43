/** A part of the page whose code comes when it is first shown: the first visit waits for none of it. */
import type { PageData } from '../page-data';

interface Part {
  update(data: PageData): void;
  show(): void;
}

export class LazyPart {
  #part: Promise<Part> | undefined;
  #here: Part | undefined;
  #data: PageData | undefined;

  constructor(private readonly load: () => Promise<Part>) {}

  update(data: PageData): void {
    this.#data = data;
    this.#here?.update(data);
  }

  /** Where its code can't be had, the next one asks for it again. */
  async show(): Promise<void> {
    this.#part ??= this.load();
    try {
      this.#here = await this.#part;
    } catch (thrown) {
      this.#part = undefined;
      throw thrown;
    }
    if (this.#data) this.#here.update(this.#data);
    this.#here.show();
  }
}
