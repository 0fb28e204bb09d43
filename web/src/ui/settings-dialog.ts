/** How the model behaves: a role with its system prompt for this conversation, and how words are chosen everywhere. */
import { html, nothing, render, type TemplateResult } from 'lit-html';
import { live } from 'lit-html/directives/live.js';
import type { Instructions } from '../app/conversation';
import type { PageData } from '../app/page-data';
import { presetIds, presets, usesKnowledge, type PresetId } from '../app/presets';
import { RANDOM_SEED, samplingRanges, type SamplingChange, type SamplingKey } from '../app/sampling';
import { chatStrings as words } from './chat-strings';
import { Emitter } from './emitter';
import { fill } from './format';
import { closeIcon } from './icons';

export class SettingsDialog extends Emitter<{ instruct: Partial<Instructions>; setSampling: SamplingChange; resetSampling: undefined }> {
  #data: PageData | undefined;

  constructor(private readonly dialog: HTMLDialogElement) {
    super();
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  }

  show(): void {
    this.dialog.showModal();
    if (this.#data) this.update(this.#data);
  }

  /** While it is closed there is nothing to draw. */
  update(data: PageData): void {
    this.#data = data;
    if (!this.dialog.open) return;
    const { instructions } = data.chats;
    render(
      html`
        <div class="sheet">
          <div class="sheet-head">
            <h2 id="settings-title">${words.settings}</h2>
            <button type="button" class="icon-button" aria-label=${words.close} @click=${() => this.dialog.close()}>${closeIcon}</button>
          </div>
          <h3 id="role-title">${words.role}</h3>
          <p class="hint">${words.roleHint}</p>
          <div class="roles" role="radiogroup" aria-labelledby="role-title">${presetIds.map((id) => this.#role(id, instructions))}</div>
          ${this.#text('system', words.system, words.systemHint, instructions)}
          ${usesKnowledge(instructions.preset)
            ? this.#text('knowledge', words.knowledge, fill(words.knowledgeHint, { context: data.context.toLocaleString('en') }), instructions)
            : nothing}
          <h3>${words.sampling}</h3>
          <p class="hint">${words.samplingHint}</p>
          <div class="samplings">
            ${samplingRanges.map(({ key, least, most, step }) => this.#sampling(key, least, most, step, data))}
            ${this.#sampling('seed', 0, 2 ** 32 - 1, 1, data)}
          </div>
          <p class="actions"><button type="button" class="button" data-testid="sampling-reset" @click=${() => this.emit('resetSampling')}>${words.reset}</button></p>
        </div>`,
      this.dialog,
    );
  }

  /** What was pasted as knowledge outlives a look at another role. */
  #role(id: PresetId, instructions: Instructions): TemplateResult {
    const { name, text } = words.presets[id];
    const { preset, system } = presets[id].instructions;
    const choose = () => this.emit('instruct', { preset, system });
    return html`
      <label class="role">
        <input type="radio" name="preset" data-testid=${`preset-${id}`} .checked=${live(id === instructions.preset)} @change=${choose} />
        <span><strong>${name}</strong><span class="hint">${text}</span></span>
      </label>`;
  }

  #text(key: 'system' | 'knowledge', label: string, hint: string, instructions: Instructions): TemplateResult {
    const onInput = (event: Event) => this.emit('instruct', { [key]: (event.target as HTMLTextAreaElement).value });
    return html`
      <h3><label for=${`${key}-text`}>${label}</label></h3>
      <textarea id=${`${key}-text`} class="text-field" rows=${key === 'system' ? 4 : 8} data-testid=${`${key}-text`} aria-describedby=${`${key}-hint`}
        .value=${live(typedOr(`${key}-text`, instructions[key]))} @change=${onInput}></textarea>
      <p class="hint" id=${`${key}-hint`}>${hint}</p>`;
  }

  #sampling(key: SamplingKey, least: number, most: number, step: number, { sampling: { chosen, usual } }: PageData): TemplateResult {
    const { name, text } = words.samplings[key];
    const usually = usual[key] === RANDOM_SEED ? words.chance : String(usual[key]);
    const onChange = (event: Event) => {
      const { value } = event.target as HTMLInputElement;
      this.emit('setSampling', { key, value: value === '' ? undefined : Number(value) });
    };
    return html`
      <div class="sampling">
        <label for=${`sampling-${key}`}>${name}</label>
        <input id=${`sampling-${key}`} type="number" inputmode="decimal" min=${least} max=${most} step=${step} data-testid=${`sampling-${key}`}
          placeholder=${fill(words.usual, { value: usually })} aria-describedby=${`sampling-${key}-hint`} .value=${live(typedOr(`sampling-${key}`, chosen[key] === undefined ? '' : String(chosen[key])))} @change=${onChange} />
        <p class="hint" id=${`sampling-${key}-hint`}>${text}</p>
      </div>`;
  }
}

/** A field keeps what is being typed into it, whatever is drawn meanwhile. */
function typedOr(id: string, value: string): string {
  const { activeElement } = document;
  const typing = activeElement?.id === id && (activeElement instanceof HTMLInputElement || activeElement instanceof HTMLTextAreaElement);
  return typing ? activeElement.value : value;
}
