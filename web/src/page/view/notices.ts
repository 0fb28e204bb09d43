/** Quiet lines above the message box: that nothing is kept, a chat longer than the model was trained for, a new version of the page. */
import { html, nothing, render } from 'lit-html';
import { Emitter } from '../../base/emitter';
import { fill } from '../../base/format';
import type { PageData } from '../page-data';
import { pageStrings } from '../page-strings';

export class Notices extends Emitter<{ newChat: undefined; useNewVersion: undefined; install: undefined; declineInstall: undefined }> {
  constructor(private readonly container: HTMLElement) {
    super();
  }

  update({ chats, context, erased, failure, installHint, messages, newVersion, unkept, view }: PageData): void {
    const past = view === 'chat' && chats.position > context;
    // The error card says it while it is there.
    const shown = unkept && unkept.code !== failure?.code ? unkept : undefined;
    render(
      html`
        ${shown
          ? html`<p class="notice" role="status" data-testid="unkept" data-code=${shown.code}><span>${shown.message} ${shown.remedy}</span></p>`
          : nothing}
        ${erased && messages.length === 0 ? html`<p class="notice" role="status" data-testid="erased"><span>${pageStrings.erased[erased]}</span></p>` : nothing}
        ${past
          ? html`<p class="notice" role="status" data-testid="past-context">
              <span>${fill(pageStrings.pastContext, { context: context.toLocaleString('en') })}</span>
              <button type="button" class="button" @click=${() => this.emit('newChat')}>${pageStrings.startAfresh}</button>
            </p>`
          : nothing}
        ${installHint
          ? html`<p class="notice" role="status" data-testid="install-hint">
              <span>${pageStrings.installHint}</span>
              <button type="button" class="button" data-testid="install" @click=${() => this.emit('install')}>${pageStrings.install}</button>
              <button type="button" class="button" data-testid="not-install" @click=${() => this.emit('declineInstall')}>${pageStrings.notInstall}</button>
            </p>`
          : nothing}
        ${newVersion
          ? html`<p class="notice" role="status" data-testid="new-version">
              <span>${pageStrings.newVersion}</span>
              <button type="button" class="button" data-testid="use-new-version" @click=${() => this.emit('useNewVersion')}>${pageStrings.useNewVersion}</button>
            </p>`
          : nothing}`,
      this.container,
    );
  }
}
