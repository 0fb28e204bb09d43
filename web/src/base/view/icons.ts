/** Icons, drawn on a 24 x 24 grid in the colour of the text around them. */
import { html, svg, type SVGTemplateResult, type TemplateResult } from 'lit-html';

function icon(shape: SVGTemplateResult, className = 'icon'): TemplateResult {
  return html`<svg class=${className} viewBox="0 0 24 24" aria-hidden="true" focusable="false">${shape}</svg>`;
}

/** A snake in one stroke, which is also a state carried along a line. */
export const brandIcon = icon(svg`<path d="M4 17.5c0 2 1.6 3 3.6 3 5.4 0 2.8-9.6 8.2-9.6 2.300 0 4.200 1.300 4.200 3.600 0 2-1.500 3.200-3.200 3.200M4 6.500c2.600-3 6.800-3.200 8.900-.700"/><circle class="eye" cx="15.400" cy="6.800" r="1.300"/>`, 'icon brand-icon');
export const chevronIcon = icon(svg`<path d="m7 10 5 5 5-5"/>`);
export const newChatIcon = icon(svg`<path d="M12 5v14M5 12h14"/>`);
export const sendIcon = icon(svg`<path d="M12 19V5M6 11l6-6 6 6"/>`);
export const stopIcon = icon(svg`<rect class="filled" x="6" y="6" width="12" height="12" rx="2.500"/>`);
export const copyIcon = icon(svg`<rect x="9" y="9" width="11" height="11" rx="2"/><path d="M15 9V6a2 2 0 0 0-2-2H6a2 2 0 0 0-2 2v7a2 2 0 0 0 2 2h3"/>`, 'icon copy-icon');
export const checkIcon = icon(svg`<path d="m5 12.500 4.500 4.500L19 7.500"/>`, 'icon check-icon');
export const closeIcon = icon(svg`<path d="M6 6l12 12M18 6 6 18"/>`);
export const removeIcon = icon(svg`<path d="M5 7h14M10 7V5h4v2M7 7l1 12h8l1-12M10.500 11v5M13.500 11v5"/>`);
export const downIcon = icon(svg`<path d="M12 5v14M6 13l6 6 6-6"/>`);
export const pauseIcon = icon(svg`<path d="M9 6v12M15 6v12"/>`);
export const resumeIcon = icon(svg`<path d="M8 5.500v13l10.500-6.500z"/>`);
export const verifyIcon = icon(svg`<path d="M12 3.500 5 6v5.500c0 4.300 2.900 7.600 7 9 4.100-1.400 7-4.700 7-9V6z"/><path d="m9 11.800 2.200 2.200 3.800-4"/>`);
export const exportIcon = icon(svg`<path d="M12 4v10M8 10.500l4 4 4-4M5 19.500h14"/>`);
export const menuIcon = icon(svg`<path d="M4 7h16M4 12h16M4 17h16"/>`);
export const moreIcon = icon(svg`<circle class="filled" cx="5.500" cy="12" r="1.600"/><circle class="filled" cx="12" cy="12" r="1.600"/><circle class="filled" cx="18.500" cy="12" r="1.600"/>`);
export const chatIcon = icon(svg`<path d="M5 5h14a1.500 1.500 0 0 1 1.500 1.500v8A1.500 1.500 0 0 1 19 16h-7l-4.500 4v-4H5a1.500 1.500 0 0 1-1.500-1.500v-8A1.500 1.500 0 0 1 5 5z"/>`);
export const documentIcon = icon(svg`<path d="M7 3.500h7l4.500 4.500v11a1.500 1.500 0 0 1-1.500 1.500H7A1.500 1.500 0 0 1 5.500 19V5A1.500 1.500 0 0 1 7 3.500zM14 3.500V8h4.500M9 12.500h6M9 16h6"/>`);
export const settingsIcon = icon(svg`<path d="M4 7h9M17 7h3M4 17h3M11 17h9"/><circle cx="15" cy="7" r="2"/><circle cx="9" cy="17" r="2"/>`);
export const editIcon = icon(svg`<path d="m5 19 .800-3.800L15.500 5.500a1.700 1.700 0 0 1 2.400 0l.600.600a1.700 1.700 0 0 1 0 2.400L8.800 18.200z"/>`);
export const againIcon = icon(svg`<path d="M19 12a7 7 0 1 1-2.200-5.100M19 4v4h-4"/>`);
export const againBatchIcon = icon(svg`<path d="M5 6h14M5 12h14M5 18h7M18 15v6M15 18h6"/>`);
export const attachIcon = icon(svg`<path d="m19 11.500-7 7a4.500 4.500 0 0 1-6.400-6.400l7.500-7.500a3 3 0 0 1 4.300 4.300l-7.400 7.400a1.500 1.500 0 0 1-2.200-2.200L14 8"/>`);
export const earlierIcon = icon(svg`<path d="m14 7-5 5 5 5"/>`);
export const laterIcon = icon(svg`<path d="m10 7 5 5-5 5"/>`);
export const pinIcon = icon(svg`<path d="M9 4h6l-1 6 3 3v1.500H7V13l3-3zM12 14.500V20"/>`);
export const promptIcon = icon(svg`<path d="M5 5h14v14H5zM8.500 9.500 11 12l-2.500 2.500M13 15h3"/>`);
/** A moment of a state, kept: no download's arrow. */
export const memoryIcon = icon(svg`<path d="M7 4h10v16l-5-3.500L7 20z"/><path d="M10 9h4"/>`);
export const speakIcon = icon(svg`<path d="M5 9.500h3l4-3.500v12l-4-3.500H5zM15.500 9a4 4 0 0 1 0 6M18 6.500a7.500 7.500 0 0 1 0 11"/>`);
