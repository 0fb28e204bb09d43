/** Copies a text and says so for a moment, or that it could not. */
import { html, type TemplateResult } from 'lit-html';
import { strings } from '../strings';
import { copyText } from './clipboard';
import { checkIcon, copyIcon } from './icons';

const SAID_MILLISECONDS = 1600;

export function copyButton(text: string, label: string = strings.copy): TemplateResult {
  const onClick = async (event: Event) => {
    const button = event.currentTarget as HTMLButtonElement;
    const copied = await copyText(text);
    button.classList.toggle('copied', copied);
    button.ariaLabel = button.title = copied ? strings.copied : strings.notCopied;
    setTimeout(() => {
      button.classList.remove('copied');
      button.ariaLabel = button.title = label;
    }, SAID_MILLISECONDS);
  };
  return html`<button class="copy" type="button" data-testid="copy" aria-label=${label} title=${label} @click=${onClick}>
    ${copyIcon}${checkIcon}
  </button>`;
}
