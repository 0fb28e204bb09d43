/** One message: the question as it was typed, the answer as sanitised Markdown with its figures below, and what can be done with each. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { splitThoughts } from 'web-mamba';
import { fill, formatRate, formatSeconds } from '../../base/format';
import { copyButton } from '../../base/view/copy-button';
import { againBatchIcon, againIcon, earlierIcon, editIcon, laterIcon, resumeIcon, speakIcon, stopIcon } from '../../base/view/icons';
import type { AssistantMessage, Message, Source, UserMessage } from '../../data/conversation-record';
import { breakRuns } from '../../markdown/runs';
import { prose } from '../../markdown/view/prose';
import { chatStrings } from '../chat-strings';
import { BATCH_SIZE, type BatchProgress, type ChatsData } from '../chats';
import { sources } from './sources';

/** What a message is drawn with. */
export interface MessageContext {
  modelReady: boolean;
  /** An answer is being written: nothing may be asked anew. */
  answering: boolean;
  /** The message is the last one. */
  last: boolean;
  /** The saved state that the chat begins from is still coming. */
  waitsForState: boolean;
  waitsForDocuments: boolean;
  branches: ReturnType<ChatsData['branches']>;
  batch: BatchProgress | undefined;
  /** Whether it can be read aloud, and is. */
  aloud: 'no' | 'can' | 'now';
  readAloud(message: AssistantMessage, text: string): void;
  edit(message: UserMessage): void;
  again(message: AssistantMessage): void;
  againBatch(message: AssistantMessage): void;
  carryOn(message: AssistantMessage): void;
  showBranch(id: number): void;
  showSource(source: Source): void;
}

export function message(message: Message, context: MessageContext): TemplateResult {
  return message.role === 'user' ? question(message, context) : answer(message, context);
}

function question(message: UserMessage, context: MessageContext): TemplateResult {
  return html`
    <article class="message user" data-message=${message.id}>
      <h2 class="visually-hidden">${chatStrings.you}</h2>
      <div class="bubble" dir="auto" data-testid="message-user">${breakRuns(message.text)}</div>
      <div class="under">
        ${branches(context)}
        ${action('edit', chatStrings.edit, editIcon, context.answering, () => context.edit(message))}
      </div>
    </article>`;
}

/** Screen readers hear the answer once, when `aria-busy` ends, and not word by word. */
function answer(message: AssistantMessage, context: MessageContext): TemplateResult {
  const done = message.state.kind === 'done' || message.state.kind === 'imported';
  const { thoughts: thought, answer, isThinking } = splitThoughts(message.text);
  return html`
    <article class="message assistant" aria-busy=${done ? 'false' : 'true'}>
      <h2 class="visually-hidden">${chatStrings.model}</h2>
      ${thoughts(thought, isThinking && !done)}
      <div class="answer" data-testid="message-assistant" ${prose(answer)}></div>
      ${message.state.kind === 'waiting' ? waiting(message.state.prefill, context) : nothing}
      ${done ? sources(message, (source) => context.showSource(source)) : nothing}
      <div class="under">${done ? finished(message, context) : branches(context)} ${beside(context)}</div>
    </article>`;
}

/** What the model thought before it answered, folded away. */
function thoughts(text: string, isThinking: boolean): TemplateResult | typeof nothing {
  if (text === '' && !isThinking) return nothing;
  return html`
    <details class="thoughts" data-testid="thoughts">
      <summary>${isThinking ? html`${chatStrings.thinking}<span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>` : chatStrings.thoughts}</summary>
      <div class="answer" ${prose(text)}></div>
    </details>`;
}

export function waiting(prefill: { done: number; total: number } | undefined, { modelReady, waitsForState, waitsForDocuments }: MessageContext): TemplateResult {
  const reading = prefill && prefill.done < prefill.total ? fill(chatStrings.reading, prefill) : chatStrings.thinking;
  const text = !modelReady ? chatStrings.waitingForModel : waitsForState ? chatStrings.waitingForState : waitsForDocuments ? chatStrings.waitingForDocuments : reading;
  return html`<p class="waiting"><span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>${text}</p>`;
}

/** How far the answers are that are written beside this one, and this one itself. */
function beside({ batch }: MessageContext): TemplateResult | typeof nothing {
  return batch ? html`<span data-testid="several">${fill(chatStrings.batch, { ...batch })}</span>` : nothing;
}

function finished(message: AssistantMessage, context: MessageContext): TemplateResult {
  const { state, text } = message;
  const said = splitThoughts(text).answer;
  const unfinished = state.kind === 'done' && (state.stop === 'length' || state.stop === 'cancelled') && context.last && text !== '';
  return html`
    ${branches(context)} ${said === '' ? nothing : copyButton(said)} ${said === '' || context.aloud === 'no' ? nothing : aloud(message, context)}
    ${action('again', chatStrings.again, againIcon, context.answering, () => context.again(message))}
    ${context.last ? action('again-several', fill(chatStrings.againBatch, { count: BATCH_SIZE }), againBatchIcon, context.answering, () => context.againBatch(message)) : nothing}
    ${unfinished ? action('carry-on', chatStrings.carryOn, resumeIcon, context.answering, () => context.carryOn(message)) : nothing}
    ${text === '' ? html`<span>${state.kind === 'done' && state.stop === 'cancelled' ? chatStrings.unanswered : chatStrings.emptyAnswer}</span>` : answerFigures(message)}`;
}

/** What is read is what is seen: no marks of Markdown. */
function aloud(message: AssistantMessage, { aloud, readAloud }: MessageContext): TemplateResult {
  const label = aloud === 'now' ? chatStrings.readStop : chatStrings.readAloud;
  const onClick = ({ currentTarget }: Event) => readAloud(message, (currentTarget as Element).closest('article')?.querySelector<HTMLElement>('[data-testid=message-assistant]')?.innerText ?? '');
  return html`<button class="copy" type="button" data-testid="read-aloud" aria-pressed=${aloud === 'now' ? 'true' : 'false'} aria-label=${label} title=${label} @click=${onClick}>${aloud === 'now' ? stopIcon : speakIcon}</button>`;
}

export function answerFigures({ state }: AssistantMessage): TemplateResult | typeof nothing {
  if (state.kind !== 'done') return nothing;
  const { tokens, rate, firstToken } = state.stats;
  const data = { tokens, rate: formatRate(rate), first: formatSeconds(firstToken) };
  const note = state.stop === 'cancelled' ? chatStrings.stopped : state.stop === 'length' ? fill(chatStrings.lengthReached, data) : '';
  // An answer of an earlier visit that the page was closed on has no figures.
  const stats = tokens > 0 ? fill(rate > 0 ? chatStrings.stats : chatStrings.statsShort, data) : '';
  return html`<span class="stats" data-testid="stats"><span class="on-demand">${stats}${stats && note ? ' ·' : ''}</span> ${note}</span>`;
}

function branches({ branches: { index, ids, shut }, showBranch }: MessageContext): TemplateResult | typeof nothing {
  if (ids.length < 2) return nothing;
  const [earlier, later] = [ids[index - 1], ids[index + 1]];
  return html`
    <span class="branches" data-testid="branches">
      ${action('branch-earlier', chatStrings.earlierBranch, earlierIcon, shut || earlier === undefined, () => earlier !== undefined && showBranch(earlier))}
      <span>${fill(chatStrings.branch, { number: index + 1, count: ids.length })}</span>
      ${action('branch-later', chatStrings.laterBranch, laterIcon, shut || later === undefined, () => later !== undefined && showBranch(later))}
    </span>`;
}

function action(id: string, label: string, icon: TemplateResult, disabled: boolean, act: () => void): TemplateResult {
  return html`<button class="copy" type="button" data-testid=${id} aria-label=${label} title=${label} ?disabled=${disabled} @click=${act}>${icon}</button>`;
}
