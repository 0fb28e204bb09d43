/** Conversations as the page exports them, for tests that need one without waiting for a model to write it. */

type Said = [question: string, answer: string];

interface Upload {
  name: string;
  mimeType: string;
  buffer: Buffer;
}

const STATS = { tokens: 40, firstToken: 0.2, rate: 30, position: 90 };

/** A file to import; a conversation for each title. */
export function savedConversations(conversations: Record<string, readonly Said[]>): Upload {
  const records = Object.entries(conversations).map(([title, said], index) => {
    const messages = said.flatMap(([question, answer], turn) => [
      { id: 2 * turn + 1, parent: turn === 0 ? null : 2 * turn, role: 'user', text: question },
      { id: 2 * turn + 2, parent: 2 * turn + 1, role: 'assistant', text: answer, state: { kind: 'done', stop: 'eos', stats: STATS } },
    ]);
    return { title, created: index + 1, updated: index + 1, preset: 'assistant', system: '', knowledge: '', messages, leaf: messages.length };
  });
  const file = { format: 'web-mamba-conversations', version: 1, conversations: records };
  return { name: 'conversations.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(file)) };
}
