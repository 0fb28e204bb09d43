/** How the model behaves: a role with its system prompt for this conversation, and how words are chosen everywhere. */
import { html, noChange, nothing, render, type TemplateResult } from 'lit-html';
import { live } from 'lit-html/directives/live.js';
import { Emitter } from '../../base/emitter';
import { fill } from '../../base/format';
import { closeIcon } from '../../base/view/icons';
import type { Instructions, PresetId } from '../../data/conversation-record';
import type { ChatData } from '../chat-data';
import { efforts, type Effort } from '../../models/effort';
import { chatStrings as words } from '../chat-strings';
import { isOwnSystem, languages, presetIds, presets, translatorLanguage, translatorSystem, usesKnowledge, type Language } from '../presets';
import { RANDOM_SEED, samplingRanges, type SamplingChange, type SamplingKey } from '../sampling';

export class SettingsDialog extends Emitter<{ instruct: Partial<Instructions>; setSampling: SamplingChange; resetSampling: undefined; setEffort: Effort }> {
  #data: ChatData | undefined;
  /** The visitor's own system prompt, which a role has just replaced. */
  #replaced: { chat: string; system: string } | undefined;
  /** A setting that was typed out of its range. */
  #outside: SamplingKey | undefined;

  constructor(private readonly dialog: HTMLDialogElement) {
    super();
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  }

  show(): void {
    this.#outside = undefined;
    this.dialog.showModal();
    if (this.#data) this.update(this.#data);
  }

  /** While it is closed there is nothing to draw. */
  update(data: ChatData): void {
    this.#data = data;
    if (!this.dialog.open) return;
    const { instructions, current } = data.chats;
    render(
      html`
        <div class="sheet">
          <div class="sheet-head">
            <h2 id="settings-title">${words.settings}</h2>
            <button type="button" class="icon-button" aria-label=${words.close} @click=${() => this.dialog.close()}>${closeIcon}</button>
          </div>
          <h3 id="role-title">${words.role}</h3>
          <p class="hint">${words.roleHint}</p>
          ${data.entry?.roles === false ? html`<p class="hint" data-testid="no-roles"><strong>${fill(words.noRoles, { name: data.entry.name })}</strong></p>` : nothing}
          <div class="roles" role="radiogroup" aria-labelledby="role-title">${presetIds.map((id) => this.#role(id, instructions))}</div>
          ${instructions.preset === 'translator' ? this.#language(instructions) : nothing}
          ${this.#text('system', words.system, words.systemHint, instructions)} ${this.#broughtBack(current)}
          ${usesKnowledge(instructions.preset)
            ? this.#text('knowledge', words.knowledge, fill(words.knowledgeHint, { context: data.context.toLocaleString('en') }), instructions)
            : nothing}
          <h3>${words.sampling}</h3>
          <p class="hint">${words.samplingHint}</p>
          <div class="samplings">
            ${samplingRanges.map(({ key, least, most, step }) => this.#sampling(key, least, most, step, data))}
            ${this.#sampling('seed', 0, 2 ** 32 - 1, 1, data)}
          </div>
          <p class="actions"><button type="button" class="button" data-testid="sampling-reset" @click=${() => this.#reset()}>${words.reset}</button></p>
          <h3 id="effort-title">${words.effort}</h3>
          <p class="hint">${words.effortHint}</p>
          <div class="roles" role="radiogroup" aria-labelledby="effort-title">${efforts.map((effort) => this.#effort(effort, data.effort))}</div>
          <p class="hint"><a href="licences.txt" target="_blank" rel="noopener noreferrer" data-testid="licences">${words.licences}</a></p>
        </div>`,
      this.dialog,
    );
  }

  #reset(): void {
    this.#outside = undefined;
    this.emit('resetSampling');
  }

  #effort(effort: Effort, chosen: Effort): TemplateResult {
    return radio('effort', effort, effort === chosen, words.efforts[effort], () => this.emit('setEffort', effort));
  }

  /** What was pasted as knowledge outlives a look at another role. */
  #role(id: PresetId, instructions: Instructions): TemplateResult {
    const { preset, system } = presets[id].instructions;
    const choose = () => {
      if (isOwnSystem(instructions) && this.#data) this.#replaced = { chat: this.#data.chats.current, system: instructions.system };
      this.emit('instruct', { preset, system });
    };
    return radio('preset', id, id === instructions.preset, words.presets[id], choose);
  }

  #language({ system }: Instructions): TemplateResult {
    const chosen = translatorLanguage(system);
    const onChange = (event: Event) => this.emit('instruct', { system: translatorSystem((event.target as HTMLSelectElement).value as Language) });
    return html`
      <h3><label for="language">${words.language}</label></h3>
      <select id="language" class="text-field" data-testid="language" @change=${onChange}>
        ${chosen ? nothing : html`<option selected disabled>${words.ownText}</option>`}
        ${languages.map((each) => html`<option value=${each} .selected=${live(each === chosen)}>${each}</option>`)}
      </select>`;
  }

  /** What a visitor has written is not lost by a look at another role. */
  #broughtBack(current: string): TemplateResult {
    const own = this.#replaced?.chat === current ? this.#replaced.system : undefined;
    const bringBack = () => {
      this.#replaced = undefined;
      if (own !== undefined) this.emit('instruct', { system: own });
    };
    return html`<p class="replaced" role="status">
      ${own === undefined
        ? nothing
        : html`<span>${words.replaced}</span> <button type="button" class="button" data-testid="bring-back" @click=${bringBack}>${words.bringBack}</button>`}
    </p>`;
  }

  #text(key: 'system' | 'knowledge', label: string, hint: string, instructions: Instructions): TemplateResult {
    const onInput = (event: Event) => this.emit('instruct', { [key]: (event.target as HTMLTextAreaElement).value });
    return html`
      <h3><label for=${`${key}-text`}>${label}</label></h3>
      <textarea id=${`${key}-text`} dir="auto" class="text-field" rows=${key === 'system' ? 4 : 8} data-testid=${`${key}-text`} aria-describedby=${`${key}-hint`}
        .value=${live(typedOr(`${key}-text`, instructions[key]))} @change=${onInput}></textarea>
      <p class="hint" id=${`${key}-hint`}>${hint}</p>`;
  }

  #sampling(key: SamplingKey, least: number, most: number, step: number, { sampling: { chosen, usual } }: ChatData): TemplateResult {
    const { name, text } = words.samplings[key];
    const usually = usual[key] === RANDOM_SEED ? words.chance : String(usual[key]);
    const onChange = (event: Event) => {
      const { value, validity } = event.target as HTMLInputElement;
      const number = Number(value);
      const outside = validity.badInput || (value !== '' && (number < least || number > most));
      this.#outside = outside ? key : undefined;
      if (!outside) this.emit('setSampling', { key, value: value === '' ? undefined : number });
      else if (this.#data) this.update(this.#data);
    };
    const outside = this.#outside === key;
    return html`
      <div class="sampling">
        <label for=${`sampling-${key}`}>${name}</label>
        <input id=${`sampling-${key}`} type="number" inputmode="decimal" min=${least} max=${most} step=${step} data-testid=${`sampling-${key}`}
          placeholder=${fill(words.usual, { value: usually })} aria-describedby=${`sampling-${key}-hint`} aria-invalid=${outside ? 'true' : 'false'}
          .value=${outside ? noChange : live(typedOr(`sampling-${key}`, chosen[key] === undefined ? '' : String(chosen[key])))} @change=${onChange} />
        <p class="outside" role="alert" data-testid=${`outside-${key}`}>${outside ? fill(words.outside, { least, most, now: chosen[key] ?? usually }) : ''}</p>
        <p class="hint" id=${`sampling-${key}-hint`}>${text}</p>
      </div>`;
  }
}

/** One of a group to choose from, with what it means. */
function radio(group: string, value: string, isChosen: boolean, { name, text }: { name: string; text: string }, choose: () => void): TemplateResult {
  return html`
    <label class="role">
      <input type="radio" name=${group} data-testid=${`${group}-${value}`} .checked=${live(isChosen)} @change=${choose} />
      <span><strong>${name}</strong><span class="hint">${text}</span></span>
    </label>`;
}

/** A field keeps what is being typed into it, whatever is drawn meanwhile. */
function typedOr(id: string, value: string): string {
  const { activeElement } = document;
  const typing = activeElement?.id === id && (activeElement instanceof HTMLInputElement || activeElement instanceof HTMLTextAreaElement);
  return typing ? activeElement.value : value;
}
