/** Documents in the browser's database. What is made of one that is open waits in the page where the database does not take it. */
import { BORN, type AppDatabase } from '../data/app-database';
import type { DocumentRecord, DocumentText, QuestionRecord, SummaryRecord } from '../data/document-records';

/** A document as it is open here, with what was made of it. */
export interface WholeDocument {
  record: DocumentRecord;
  text: DocumentText;
  summaries: readonly SummaryRecord[];
  questions: readonly QuestionRecord[];
}

export class DocumentStore {
  /** In which database each document was found; another one has taken its place where the site's data was cleared since. */
  readonly #foundIn = new Map<string, unknown>();

  constructor(private readonly database: AppDatabase) {}

  /** Newest first; none where the browser gives no database. */
  async list(): Promise<DocumentRecord[]> {
    try {
      return (await this.database.getAll('documents')).sort((a, b) => b.added - a.added);
    } catch (thrown) {
      if (this.database.unopened) return [];
      throw thrown;
    }
  }

  /** The record and its text, or neither. */
  async add(record: DocumentRecord, text: DocumentText): Promise<void> {
    await this.database.transact(['documents', 'texts'], (transaction) =>
      Promise.all([transaction.objectStore('documents').put(record), transaction.objectStore('texts').put(text)]));
  }

  async text(id: string): Promise<DocumentText | undefined> {
    return this.database.read(['texts', 'settings'], async (transaction) => {
      const [text, born] = await Promise.all([transaction.objectStore('texts').get(id), transaction.objectStore('settings').get(BORN)]);
      if (text) this.#foundIn.set(id, born);
      return text;
    });
  }

  async summaries(id: string): Promise<SummaryRecord[]> {
    return (await this.database.getAllFromIndex('summaries', 'byDocument', id)).sort((a, b) => b.started - a.started);
  }

  async questions(id: string): Promise<QuestionRecord[]> {
    return (await this.database.getAllFromIndex('questions', 'byDocument', id)).sort((a, b) => a.asked - b.asked);
  }

  /** Where its document is gone with the site's data, together with that; not where the document was deleted meanwhile. */
  async saveSummary(summary: SummaryRecord, whole?: WholeDocument): Promise<void> {
    await this.#save('summaries', summary, whole);
  }

  async saveQuestion(question: QuestionRecord, whole?: WholeDocument): Promise<void> {
    await this.#save('questions', question, whole);
  }

  async removeSummary(id: string): Promise<void> {
    this.database.forget(waitingName(id));
    await this.database.delete('summaries', id);
  }

  /** With all that was made of it. */
  async remove(id: string): Promise<void> {
    await this.database.transact(['documents', 'texts', 'summaries', 'questions'], async (transaction) => {
      const made = await Promise.all((['summaries', 'questions'] as const).map(async (name) => {
        const store = transaction.objectStore(name);
        const keys = await store.index('byDocument').getAllKeys(id);
        return Promise.all(keys.map((key) => store.delete(key)));
      }));
      return Promise.all([...made.flat(), transaction.objectStore('documents').delete(id), transaction.objectStore('texts').delete(id)]);
    });
    this.#foundIn.delete(id);
  }

  async #save(name: 'summaries' | 'questions', made: SummaryRecord | QuestionRecord, whole: WholeDocument | undefined): Promise<void> {
    const { documentId } = made;
    await this.database.keep(waitingName(made.id), async () => {
      const foundIn = await this.database.transact(['documents', 'texts', 'summaries', 'questions', 'settings'], async (transaction) => {
        const [known, born] = await Promise.all([transaction.objectStore('documents').getKey(documentId), transaction.objectStore('settings').get(BORN)]);
        const cleared = this.#foundIn.has(documentId) && this.#foundIn.get(documentId) !== born;
        if (known === undefined && cleared && whole) {
          await Promise.all([
            transaction.objectStore('documents').put(whole.record),
            transaction.objectStore('texts').put(whole.text),
            ...whole.summaries.map((each) => transaction.objectStore('summaries').put(each)),
            ...whole.questions.map((each) => transaction.objectStore('questions').put(each)),
          ]);
        } else if (known === undefined) {
          return undefined;
        }
        await transaction.objectStore(name).put(made as SummaryRecord & QuestionRecord);
        return { born };
      });
      if (foundIn) this.#foundIn.set(documentId, foundIn.born);
    });
  }
}

/** Under which a summary or a question waits for the database. */
function waitingName(id: string): string {
  return `made ${id}`;
}
