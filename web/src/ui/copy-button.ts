/** Copies a text and says so for a moment. */
import { html, type TemplateResult } from 'lit-html';
import { checkIcon, copyIcon } from './icons';
import { strings } from './strings';

const SAID_MILLISECONDS = 1600;

export function copyButton(text: string, label: string = strings.copy): TemplateResult {
  const onClick = async (event: Event) => {
    const button = event.currentTarget as HTMLButtonElement;
    await navigator.clipboard.writeText(text);
    button.classList.add('copied');
    button.ariaLabel = strings.copied;
    setTimeout(() => {
      button.classList.remove('copied');
      button.ariaLabel = label;
    }, SAID_MILLISECONDS);
  };
  return html`<button class="copy" type="button" data-testid="copy" aria-label=${label} title=${label} @click=${onClick}>
    ${copyIcon}${checkIcon}
  </button>`;
}
