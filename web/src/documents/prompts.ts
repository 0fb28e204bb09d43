/** What the model is asked. Instructions come after the text: a state-space model remembers best what it read last. */
import type { ChatMessage } from 'web-mamba';
import type { SummaryStyle } from '../data/document-records';

/** What is asked about a text, which comes first. */
export interface DocumentPrompt {
  messages: ChatMessage[];
  /** What other prompts about the same text begin with too, so that an engine that keeps states reads it once; empty where there are none. */
  shared: string;
}

/** Tokens that a template and these sentences take beside the text. */
export const PROMPT_TOKENS = 120;

const WANTED: Readonly<Record<Exclude<SummaryStyle, 'custom'>, string>> = {
  short: 'Summarise it in one short paragraph of at most five sentences.',
  detailed: 'Summarise it in detail, in several paragraphs that follow its order and keep names, numbers and conclusions.',
  bullets: 'Summarise it as a Markdown list of its main points, one sentence each.',
  facts: 'List the key facts as a Markdown list: who, what, when, where, and every important number.',
};

/** Tokens of the answer, at most; a quarter of the context where that is less. */
const LENGTHS: Readonly<Record<SummaryStyle, number>> = { short: 200, detailed: 900, bullets: 450, facts: 450, custom: 700 };
/** A section's summary is material for the whole one. */
const SECTION_TOKENS = 350;
const ANSWER_TOKENS = 512;

const FAITHFUL = 'Use only what it says.';

export function summaryTokens(style: SummaryStyle, context: number): number {
  return Math.min(LENGTHS[style], Math.floor(context / 4));
}

export function sectionTokens(context: number): number {
  return Math.min(SECTION_TOKENS, Math.floor(context / 5));
}

export function answerTokens(context: number): number {
  return Math.min(ANSWER_TOKENS, Math.floor(context / 4));
}

export function wholePrompt(text: string, style: SummaryStyle, instruction: string): DocumentPrompt {
  return sharing(text, `This is a document. ${wanted(style, instruction)} ${FAITHFUL}`);
}

export function sectionPrompt(text: string, number: number, count: number, style: SummaryStyle, instruction: string): DocumentPrompt {
  const goal = style === 'custom' ? ` It will serve this request: ${instruction.trim()}` : '';
  return prompt(text, `This is part ${number} of ${count} of a document. Summarise this part in one paragraph; keep names, numbers and conclusions. ${FAITHFUL}${goal}`);
}

export function mergePrompt(summaries: readonly string[], style: SummaryStyle, instruction: string): DocumentPrompt {
  const parts = summaries.map((summary, index) => `Part ${index + 1}: ${summary.trim()}`).join('\n\n');
  return prompt(parts, `These are summaries of the parts of one document, in order. Combine them. ${wanted(style, instruction)} ${FAITHFUL}`);
}

export function questionPrompt(text: string, question: string): DocumentPrompt {
  return sharing(text, `This is from a document. Answer the question from it alone, and say so if it does not tell.\n\nQuestion: ${question.trim()}`);
}

/** A part of a document that a chat is answered from. */
export interface DocumentPart {
  /** Its id. */
  documentId: string;
  name: string;
  text: string;
}

/** A question of a chat, after what is read for it; the question alone where that is nothing. Parts of one document stand together. */
export function attachedPrompt(parts: readonly DocumentPart[], question: string): { text: string; shared: string } {
  if (parts.length === 0) return { text: question, shared: '' };
  const documents = [...new Set(parts.map(({ documentId }) => documentId))].map((id) => parts.filter(({ documentId }) => documentId === id));
  const shared = documents.map((of) => `From “${of[0]?.name}”:\n${quoted(of.map(({ text }) => text.trim()).join('\n\n[…]\n\n'))}`).join('\n\n');
  return { text: `${shared}\n\nAnswer the question from this alone, and say so if it does not tell.\n\nQuestion: ${question.trim()}`, shared };
}

function wanted(style: SummaryStyle, instruction: string): string {
  return style === 'custom' ? instruction.trim() : WANTED[style];
}

function quoted(text: string): string {
  return `"""\n${text.trim()}\n"""`;
}

function prompt(text: string, request: string): DocumentPrompt {
  return { messages: [{ role: 'user', content: `${quoted(text)}\n\n${request}` }], shared: '' };
}

function sharing(text: string, request: string): DocumentPrompt {
  return { ...prompt(text, request), shared: quoted(text) };
}
