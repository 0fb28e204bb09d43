/** Files and long texts on their way into chats: each becomes a document, of which its chat is told. */
import { toFailure } from '../base/failure';
import type { AttachmentState } from '../chat/chat-data';
import type { Attachment } from '../data/conversation-record';
import type { DocumentIntake } from '../documents/document-intake';
import { nameOf } from '../documents/documents-controller';

interface Arriving {
  key: string;
  chat: string;
  name: string;
  intake: DocumentIntake;
  failure?: ReturnType<typeof toFailure>;
  ended: Promise<void>;
}

export interface AttachingParts {
  intake(): DocumentIntake;
  attach(chat: string, attachment: Attachment): Promise<void>;
  changed(): void;
}

export class Attaching {
  #arriving: Arriving[] = [];
  #count = 0;
  /** What was pasted in this visit, by the document that it became. */
  readonly #pasted = new Map<string, string>();

  constructor(private readonly parts: AttachingParts) {}

  addFiles(chat: string, files: readonly File[]): void {
    for (const file of files) {
      this.#add(chat, file.name, async (intake) => {
        const { added: [id], failed } = await intake.take([file]);
        if (failed) throw failed;
        return id;
      });
    }
  }

  addText(chat: string, text: string): void {
    const name = nameOf(text);
    this.#add(chat, name, async (intake) => {
      const id = await intake.text(text, name);
      this.#pasted.set(id, text);
      return id;
    });
  }

  /** Calls off what is on its way, or takes away what has failed; tells whether there was such a one. */
  end(key: string): boolean {
    const found = this.#arriving.find((each) => each.key === key);
    found?.intake.cancel();
    this.#leave(key);
    return found !== undefined;
  }

  unlock(key: string, password: string): void {
    const arriving = this.#arriving.find((each) => each.key === key);
    const locked = arriving?.intake.locked[0];
    if (!arriving || !locked || !arriving.failure) return;
    delete arriving.failure;
    arriving.ended = this.#bring(arriving, (intake) => intake.unlock(locked.file, password));
    this.parts.changed();
  }

  /** One that is put back, or all: once something was asked, they are documents as any other. */
  forgetPasted(id?: string): void {
    if (id === undefined) this.#pasted.clear();
    else this.#pasted.delete(id);
  }

  /** Settles when nothing is on its way into a chat any more. */
  async arrived(chat: string): Promise<void> {
    await Promise.all(this.#arriving.filter((each) => each.chat === chat).map(({ ended }) => ended));
  }

  /** `exists`: whether a document is still there. */
  states(chat: string, attachments: readonly Attachment[], exists: (id: string) => boolean): AttachmentState[] {
    const here = attachments.map(({ id, name }): AttachmentState => {
      const pasted = this.#pasted.get(id);
      return { key: id, name, state: exists(id) ? { kind: 'here', ...(pasted === undefined ? {} : { pasted }) } : { kind: 'deleted' } };
    });
    const arriving = this.#arriving.filter((each) => each.chat === chat).map(({ key, name, failure, intake }): AttachmentState => ({
      key, name, state: failure ? { kind: 'failed', failure, locked: intake.locked.length > 0 } : { kind: 'arriving', done: intake.adding?.done ?? 0, total: intake.adding?.total ?? 0 },
    }));
    return [...here, ...arriving];
  }

  #add(chat: string, name: string, take: (intake: DocumentIntake) => Promise<string | undefined>): void {
    const arriving: Arriving = { key: `arriving ${(this.#count += 1)}`, chat, name, intake: this.parts.intake(), ended: Promise.resolve() };
    this.#arriving = [...this.#arriving, arriving];
    arriving.ended = this.#bring(arriving, take);
    this.parts.changed();
  }

  async #bring(arriving: Arriving, take: (intake: DocumentIntake) => Promise<string | undefined>): Promise<void> {
    const { key, chat, name, intake } = arriving;
    try {
      const id = await take(intake);
      // One that was called off when it was all but there stays among the documents.
      const wanted = this.#arriving.includes(arriving);
      this.#leave(key);
      if (id !== undefined && wanted) await this.parts.attach(chat, { id, name });
    } catch (thrown) {
      arriving.failure = toFailure(thrown);
    }
    this.parts.changed();
  }

  #leave(key: string): void {
    this.#arriving = this.#arriving.filter((each) => each.key !== key);
    this.parts.changed();
  }
}
