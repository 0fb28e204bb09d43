/** What stands where a chat begins: what this is, what the model can do, first prompts, what this device can hold, and one offer. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { fill, formatBytes } from '../../base/format';
import type { Device } from '../../models/capability';
import { newerOf, type CatalogueEntry } from '../../models/catalogue';
import { bestOffer, costText, insteadText, memoryText, type Offer, type Verdict } from '../../models/offer';
import type { ChatData } from '../chat-data';
import { chatStrings as words } from '../chat-strings';
import { systemText } from '../presets';

interface Actions {
  ask(text: string): void;
  showCard(card: string): void;
  openEntry(entry: CatalogueEntry): void;
  chooseModel(): void;
}

export function welcome({ entry, status, tuned, device, judged, catalogue, chats }: ChatData, actions: Actions): TemplateResult {
  const card = entry?.card;
  const onCard = (event: MouseEvent) => {
    // With a key held, the link opens in its own tab as links do.
    if (event.ctrlKey || event.metaKey || event.shiftKey || !card) return;
    event.preventDefault();
    actions.showCard(card);
  };
  const newer = entry && newerOf(entry);
  const demo = entry !== undefined && (newer ?? entry) === catalogue[0];
  // They were tried without a system prompt: a translator would translate them.
  const asked = status.kind !== 'failed' && systemText(chats.instructions) === '' ? (entry?.prompts ?? []) : [];
  return html`
    <section class="welcome">
      <h2>${words.welcomeTitle}</h2>
      <p>${words.welcomeText} <a href="how.html" target="_blank" rel="noopener" data-testid="how">${words.howLink}</a></p>
      ${entry?.goodFor ? html`<p class="good-for" data-testid="good-for">${entry.goodFor}</p>` : nothing}
      ${entry?.limits
        ? html`<p class="limits" data-testid="limits">
            ${entry.limits} ${card ? html`<a href=${card} @click=${onCard}>${words.limitsLink}</a>` : nothing}
          </p>`
        : nothing}
      ${tuned ? html`<p data-testid="tuned-state">${fill(words.tuned, { name: tuned.name })}${tuned.order ? ` ${words.tunedOrders[tuned.order]}` : ''}</p>` : nothing}
      ${asked.length > 0 ? suggestions(asked, actions) : nothing}
      <div class="first-run">
        ${newer ? theNewer(newer, judged(newer)?.kept ?? false, actions) : nothing}
        ${device && demo ? firstRun(device, bestOffer(device, judged), actions) : nothing}
      </div>
    </section>`;
}

function suggestions(prompts: readonly string[], { ask }: Actions): TemplateResult {
  return html`
    <ul class="suggestions" aria-label=${words.suggestions}>
      ${prompts.map((prompt) => html`<li><button type="button" data-testid="suggestion" @click=${() => ask(prompt)}>${prompt}</button></li>`)}
    </ul>`;
}

/** An earlier version is open: the one that has taken its place. */
function theNewer(newer: CatalogueEntry, kept: boolean, { openEntry }: Actions): TemplateResult {
  const title = fill(words.newerTitle, { name: newer.name });
  return html`
    <section class="first-offer" data-testid="newer" aria-label=${title}>
      <h3>${title}</h3>
      <p>${kept ? words.newerKept : fill(words.newerFacts, { size: formatBytes(newer.bytes) })}</p>
      <p class="offer-actions">
        <button type="button" class="button primary" data-testid="newer-get" @click=${() => openEntry(newer)}>${kept ? words.offerOpen : words.offerGet}</button>
      </p>
    </section>`;
}

function firstRun(device: Device, offer: Offer | undefined, actions: Actions): TemplateResult {
  return html`
    ${offer && offer.verdict.kind !== 'unknown' ? theOffer(offer, device, actions) : nothing}
    <section class="device" data-testid="device" aria-label=${words.deviceTitle}>
      <h3>${words.deviceTitle}</h3>
      <ul>${capabilities(device).map((each) => html`<li>${each}</li>`)}</ul>
    </section>`;
}

function capabilities({ gpu, memory, storage }: Device): string[] {
  const said = memory ? fill(memory.atLeast ? words.memoryAtLeast : words.memory, { memory: memoryText(memory.bytes) }) : words.memoryUnknown;
  return [
    gpu ? (gpu.name === '' ? words.gpuUnnamed : fill(words.gpu, { name: gpu.name })) : words.noGpu,
    said,
    ...(storage === undefined ? [] : [fill(words.room, { room: formatBytes(storage) })]),
    words.demoRuns,
  ];
}

function theOffer(offer: Offer, { metered }: Device, { openEntry, chooseModel }: Actions): TemplateResult {
  const { entry, verdict, kept, instead } = offer;
  const facts = fill(kept ? words.offerKept : words.offerFacts, {
    size: formatBytes(entry.bytes), memory: formatBytes(entry.memory), context: entry.context.toLocaleString('en'),
  });
  // What is kept may be tried all the same.
  const refused = verdict.kind === 'refused' && !kept;
  const get = refused ? instead : entry;
  return html`
    <section class="first-offer" data-testid="offer" data-verdict=${verdict.kind} aria-label=${fill(words.offerTitle, { name: entry.name })}>
      <h3>${fill(words.offerTitle, { name: entry.name })}</h3>
      <p>${facts} <strong>${verdictText(verdict)}</strong> ${refused ? insteadText(offer) : nothing}</p>
      ${refused ? nothing : html`<p class="hint" data-testid="offer-cost">${costText(offer)}${metered && !kept ? ` · ${fill(words.offerMetered, { size: formatBytes(entry.bytes) })}` : nothing}</p>`}
      <p class="offer-actions">
        ${get
          ? html`<button type="button" class="button primary" data-testid="offer-get" @click=${() => openEntry(get)}>
              ${refused ? words.offerGetInstead : kept ? words.offerOpen : words.offerGet}</button>`
          : nothing}
        <button type="button" class="button" data-testid="offer-other" @click=${chooseModel}>${words.offerOther}</button>
      </p>
    </section>`;
}

function verdictText(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'unknown': return '';
    case 'fits': return words.offerFits;
    case 'refused': return words.offerRefused[verdict.why.code];
    case 'doubt': return verdict.doubts.map(({ code, needed }) => fill(words.offerDoubt[code], { needed: formatBytes(needed) })).join(' ');
  }
}
