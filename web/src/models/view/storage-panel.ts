/** What this browser keeps: each model with its size and soundness, and what can be done with it. */
import { html, nothing, type TemplateResult } from 'lit-html';
import type { StoredModel } from 'web-mamba';
import { Emitter } from '../../base/emitter';
import { fill, formatBytes } from '../../base/format';
import { checkIcon, exportIcon, removeIcon, verifyIcon } from '../../base/view/icons';
import { entryOf, newerOf } from '../catalogue';
import { modelStrings } from '../model-strings';
import type { ModelsData, StorageTask } from '../models-data';

interface Events {
  open: StoredModel;
  verify: StoredModel;
  export: StoredModel;
  remove: StoredModel;
  endTask: undefined;
}

export class StoragePanel extends Emitter<Events> {
  /** Key of the model whose deletion waits for a second press. */
  #removing = '';

  constructor(private readonly redraw: () => void) {
    super();
  }

  template(data: ModelsData): TemplateResult | typeof nothing {
    const { stored, room } = data;
    if (stored.length === 0) return nothing;
    const kept = stored.reduce((sum, { stored, inPlace }) => sum + (inPlace ? 0 : stored), 0);
    const summary = [
      fill(modelStrings.keptBytes, { bytes: formatBytes(kept) }),
      room ? fill(modelStrings.freeBytes, { bytes: formatBytes(room.free) }) : '',
      room ? (room.persisted ? modelStrings.persisted : modelStrings.notPersisted) : '',
    ];
    return html`
      <h3>${modelStrings.onThisComputer}</h3>
      <ul class="models" data-testid="stored">${stored.map((model) => this.#row(model, data))}</ul>
      <p class="hint" data-testid="room">${summary.filter(Boolean).join(' · ')}</p>`;
  }

  #row(model: StoredModel, { url, task, base }: ModelsData): TemplateResult {
    const current = model.url === url;
    const entry = entryOf(model.url, base);
    const newer = entry && newerOf(entry);
    // What is missing of an earlier version is nowhere to be had.
    const openable = model.complete || (model.remote && !newer);
    const mine = task?.url === model.url ? task : undefined;
    return html`
      <li class="kept">
        <div class="kept-main">
          <button type="button" class="model" aria-current=${current ? 'true' : 'false'} ?disabled=${!openable}
            @click=${() => this.emit('open', model)}>
            <span class="model-name">${model.name}${current ? checkIcon : nothing}</span>
            <span class="model-size">${formatBytes(model.bytes || model.stored)}</span>
            <span class="model-note">${state(model, newer?.name)}</span>
          </button>
          ${model.complete && !model.inPlace
            ? html`${this.#act('verify', modelStrings.verify, model, verifyIcon)} ${this.#act('export', modelStrings.export, model, exportIcon)}`
            : nothing}
          ${current ? nothing : this.#remove(model)}
        </div>
        ${this.#removing === model.url ? this.#confirm(model) : nothing} ${mine ? this.#task(mine) : nothing}
      </li>`;
  }

  #act(act: 'verify' | 'export', label: string, model: StoredModel, icon: TemplateResult): TemplateResult {
    return html`<button type="button" class="icon-button" data-testid=${`${act}-model`} aria-label=${`${label}: ${model.name}`} title=${label}
      @click=${() => this.emit(act, model)}>${icon}</button>`;
  }

  #remove(model: StoredModel): TemplateResult {
    return html`<button type="button" class="icon-button" data-testid="remove-model" aria-label=${`${modelStrings.remove}: ${model.name}`}
      title=${modelStrings.remove} @click=${() => this.#ask(model.url)}>${removeIcon}</button>`;
  }

  /** Gigabytes that took an hour to come should not go at one press. */
  #confirm(model: StoredModel): TemplateResult {
    const text = model.inPlace ? fill(modelStrings.forgetQuestion, { name: model.name }) : fill(modelStrings.removeQuestion, { bytes: formatBytes(model.stored) });
    return html`
      <p class="kept-task" role="status">
        <span>${text}</span>
        <button type="button" class="button" @click=${() => this.#ask('')}>${modelStrings.keep}</button>
        <button type="button" class="button danger" data-testid="remove-confirm"
          @click=${() => { this.#ask(''); this.emit('remove', model); }}>${model.inPlace ? modelStrings.forget : modelStrings.delete}</button>
      </p>`;
  }

  #task({ kind, done, total, ended, bad }: StorageTask): TemplateResult {
    if (ended) {
      const text = kind === 'export' ? modelStrings.exported : bad ? fill(modelStrings.damaged, { bad }) : modelStrings.sound;
      return html`<p class="kept-task" role="status" data-testid="task-ended"><span>${text}</span></p>`;
    }
    const text = kind === 'export' ? modelStrings.exporting : modelStrings.checking;
    return html`
      <div class="kept-task">
        <span>${text}</span>
        <progress max=${total || 1} .value=${done} aria-label=${text}></progress>
        <button type="button" class="button" @click=${() => this.emit('endTask')}>${modelStrings.cancel}</button>
      </div>`;
  }

  #ask(url: string): void {
    this.#removing = url;
    this.redraw();
  }
}

function state({ complete, verification, inPlace, stored, bytes, remote }: StoredModel, newer: string | undefined): string {
  if (inPlace) return modelStrings.inPlace;
  if (newer !== undefined) return complete ? fill(modelStrings.earlier, { newer }) : modelStrings.earlierPartly;
  if (!complete) {
    const part = fill(modelStrings.amount, { done: formatBytes(stored), total: bytes > 0 ? formatBytes(bytes) : '?' });
    return `${part} · ${remote ? modelStrings.partly : modelStrings.damagedImport}`;
  }
  return verification === 'received' || verification === null ? modelStrings.unverified : modelStrings.verified;
}
