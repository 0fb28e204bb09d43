/** Below an answer from documents: the sentences that it is nearest to, each of which leads to where it stands. */
import { html, nothing, type TemplateResult } from 'lit-html';
import type { AssistantMessage, Source } from '../../data/conversation-record';
import { breakRuns } from '../../markdown/runs';
import { attachmentStrings as words } from '../attachment-strings';

export function sources({ sources: all }: AssistantMessage, show: (source: Source) => void): TemplateResult | typeof nothing {
  if (!all) return nothing;
  if (all.length === 0) return html`<p class="sources-note" data-testid="no-source">${words.noSource}</p>`;
  return html`
    <div class="sources-list" data-testid="sources">
      <p class="sources-note" aria-hidden="true">${words.sources}</p>
      <ul aria-label=${words.sources}>
        ${all.map((source) => html`
          <li><button type="button" class="source" data-testid="source" title=${words.showSource} @click=${() => show(source)}>
            <q dir="auto">${breakRuns(source.quote.replace(/\s+/g, ' '))}</q> <cite dir="auto">${[source.name, source.place].filter(Boolean).join(' · ')}</cite>
          </button></li>`)}
      </ul>
    </div>`;
}
