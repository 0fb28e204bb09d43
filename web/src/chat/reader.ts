/** What a chat's model is given of the documents that are attached, question by question, and what each answer goes back to. */
import { splitThoughts, type ChatMessage, type EngineWorker } from 'web-mamba';
import type { AssistantMessage, Message, PartRead, UserMessage } from '../data/conversation-record';
import type { ModelLoader } from '../models/model-loader';
import type { Conversation } from './conversation';
import type { Readings } from './readings';

/** Of the trained context, what an answer may take of it; the rest is for what is said and read. */
const ANSWER_SHARE = 0.25;

export interface ReaderParts {
  engine: EngineWorker;
  loader: ModelLoader;
  readings: Readings;
}

export class Reader {
  constructor(private readonly parts: ReaderParts) {}

  /** Chooses what is read for the question of these answers, unless it has been. */
  async read(conversation: Conversation, answers: readonly AssistantMessage[]): Promise<void> {
    const [first] = answers;
    const { question, earlier } = first ? conversation.before(first) : { question: undefined, earlier: [] };
    if (!question || question.read || conversation.attachments.length === 0) return;
    const { engine, loader, readings } = this.parts;
    const known = new Set(wholeOf(earlier).map(({ documentId }) => documentId));
    const fresh = conversation.attachments.map(({ id }) => id).filter((id) => !known.has(id));
    if (fresh.length === 0) {
      question.read = [];
      return;
    }
    const { messages } = await this.prompt(conversation, [...earlier, question]);
    const used = (await engine.tokenize(messages.map(({ content }) => content).join('\n\n'))).length;
    const before = earlier.findLast(({ role }) => role === 'user')?.text ?? '';
    question.read = await readings.choose(question.text, before, fresh, Math.floor(loader.context * (1 - ANSWER_SHARE)) - used);
  }

  /** The conversation up to an answer. An answer that has words already ends it and is carried on. */
  promptFor(conversation: Conversation, answer: AssistantMessage): Promise<{ messages: ChatMessage[]; shared: string | undefined }> {
    return this.prompt(conversation, conversation.upTo(answer));
  }

  /** `shared`: of the last question, what others about the same texts begin with too; undefined where no document is read at all. */
  async prompt(conversation: Conversation, path: readonly Message[]): Promise<{ messages: ChatMessage[]; shared: string | undefined }> {
    const last = path.findLast(({ role }) => role === 'user');
    const texts = new Map<Message, string>();
    let shared: string | undefined;
    for (const message of path) {
      if (message.role !== 'user' || !message.read) continue;
      // A passage is read for its own question alone: many of them would fill what the model can keep apart.
      const parts = message === last ? message.read : message.read.filter(({ whole }) => whole);
      const prompt = await this.parts.readings.prompt(message.text, parts);
      texts.set(message, prompt.text);
      shared = message === last && parts.every(({ whole }) => whole) ? prompt.shared : (shared ?? '');
    }
    return { messages: conversation.prompt(path, texts), shared };
  }

  /** Names the sentences that finished answers go back to. */
  async cite(conversation: Conversation, answers: readonly AssistantMessage[]): Promise<void> {
    for (const answer of answers) {
      const { question, earlier } = conversation.before(answer);
      const parts = question?.read && [...wholeOf(earlier), ...question.read];
      if (!question || !parts || parts.length === 0 || answer.state.kind !== 'done' || answer.text === '') continue;
      answer.sources = await this.parts.readings.sources(question.text, splitThoughts(answer.text).answer, parts);
    }
  }
}

/** What was read as a whole before, and stays. */
function wholeOf(earlier: readonly Message[]): PartRead[] {
  return earlier.flatMap((message) => (message.role === 'user' ? readBy(message) : [])).filter(({ whole }) => whole);
}

function readBy({ read = [] }: UserMessage): PartRead[] {
  return read;
}
