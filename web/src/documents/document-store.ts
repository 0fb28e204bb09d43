/** Documents in the browser's database. */
import type { AppDatabase } from '../app/app-database';
import type { DocumentRecord, DocumentText, QuestionRecord, SummaryRecord } from './records';

export class DocumentStore {
  constructor(private readonly database: Promise<AppDatabase>) {}

  /** Newest first. */
  async list(): Promise<DocumentRecord[]> {
    return (await (await this.database).getAll('documents')).sort((a, b) => b.added - a.added);
  }

  /** The record and its text, or neither. */
  async add(record: DocumentRecord, text: DocumentText): Promise<void> {
    const transaction = (await this.database).transaction(['documents', 'texts'], 'readwrite');
    await Promise.all([transaction.objectStore('documents').put(record), transaction.objectStore('texts').put(text), transaction.done]);
  }

  async text(id: string): Promise<DocumentText | undefined> {
    return (await this.database).get('texts', id);
  }

  async summaries(id: string): Promise<SummaryRecord[]> {
    return (await (await this.database).getAllFromIndex('summaries', 'byDocument', id)).sort((a, b) => b.started - a.started);
  }

  async questions(id: string): Promise<QuestionRecord[]> {
    return (await (await this.database).getAllFromIndex('questions', 'byDocument', id)).sort((a, b) => a.asked - b.asked);
  }

  /** Not where its document was deleted meanwhile. */
  async saveSummary(summary: SummaryRecord): Promise<void> {
    const transaction = (await this.database).transaction(['documents', 'summaries'], 'readwrite');
    if (await transaction.objectStore('documents').getKey(summary.documentId)) await transaction.objectStore('summaries').put(summary);
    await transaction.done;
  }

  async saveQuestion(question: QuestionRecord): Promise<void> {
    const transaction = (await this.database).transaction(['documents', 'questions'], 'readwrite');
    if (await transaction.objectStore('documents').getKey(question.documentId)) await transaction.objectStore('questions').put(question);
    await transaction.done;
  }

  async removeSummary(id: string): Promise<void> {
    await (await this.database).delete('summaries', id);
  }

  /** With all that was made of it. */
  async remove(id: string): Promise<void> {
    const transaction = (await this.database).transaction(['documents', 'texts', 'summaries', 'questions'], 'readwrite');
    const made = await Promise.all((['summaries', 'questions'] as const).map(async (name) => {
      const store = transaction.objectStore(name);
      const keys = await store.index('byDocument').getAllKeys(id);
      return Promise.all(keys.map((key) => store.delete(key)));
    }));
    await Promise.all([...made.flat(), transaction.objectStore('documents').delete(id), transaction.objectStore('texts').delete(id), transaction.done]);
  }
}
