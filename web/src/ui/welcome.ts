/** What stands where a chat begins: what this is, what the model can do, and first prompts. */
import { html, nothing, type TemplateResult } from 'lit-html';
import type { PageData } from '../app/page-data';
import { strings } from './strings';

interface Actions {
  ask(text: string): void;
  showCard(card: string): void;
}

export function welcome({ entry, status }: PageData, { ask, showCard }: Actions): TemplateResult {
  const card = entry?.card;
  const onCard = (event: MouseEvent) => {
    // With a key held, the link opens in its own tab as links do.
    if (event.ctrlKey || event.metaKey || event.shiftKey || !card) return;
    event.preventDefault();
    showCard(card);
  };
  return html`
    <section class="welcome">
      <h2>${strings.welcomeTitle}</h2>
      <p>${strings.welcomeText}</p>
      ${entry?.limits
        ? html`<p class="limits" data-testid="limits">
            ${entry.limits} ${card ? html`<a href=${card} @click=${onCard}>${strings.limitsLink}</a>` : nothing}
          </p>`
        : nothing}
      ${status.kind === 'failed' ? nothing : suggestions(entry?.prompts ?? strings.prompts, ask)}
    </section>`;
}

function suggestions(prompts: readonly string[], ask: (text: string) => void): TemplateResult {
  return html`
    <ul class="suggestions" aria-label=${strings.suggestions}>
      ${prompts.map((prompt) => html`<li><button type="button" data-testid="suggestion" @click=${() => ask(prompt)}>${prompt}</button></li>`)}
    </ul>`;
}
