/** What the visitor makes here: conversations, documents, settings. A database of its own, apart from the weights. */
import { openDB, type DBSchema, type IDBPDatabase } from 'idb';
import type { DocumentRecord, DocumentText, QuestionRecord, SummaryRecord } from '../documents/records';
import type { ConversationRecord } from './conversation';
import { failure } from './failure';

const VERSION = 1;

interface Schema extends DBSchema {
  conversations: { key: string; value: ConversationRecord };
  documents: { key: string; value: DocumentRecord };
  texts: { key: string; value: DocumentText };
  summaries: { key: string; value: SummaryRecord; indexes: { byDocument: string } };
  questions: { key: string; value: QuestionRecord; indexes: { byDocument: string } };
  settings: { key: string; value: unknown };
}

export type AppDatabase = IDBPDatabase<Schema>;

export async function openAppDatabase(name = 'web-mamba-app'): Promise<AppDatabase> {
  try {
    return await openDB<Schema>(name, VERSION, {
      upgrade(database) {
        database.createObjectStore('conversations', { keyPath: 'id' });
        database.createObjectStore('documents', { keyPath: 'id' });
        database.createObjectStore('texts', { keyPath: 'id' });
        database.createObjectStore('summaries', { keyPath: 'id' }).createIndex('byDocument', 'documentId');
        database.createObjectStore('questions', { keyPath: 'id' }).createIndex('byDocument', 'documentId');
        database.createObjectStore('settings');
      },
      blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
    });
  } catch (cause) {
    throw failure('app-storage', {}, String(cause));
  }
}
