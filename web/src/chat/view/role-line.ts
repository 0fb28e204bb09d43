/** What the model was told to be in this conversation, where that is not what it was trained to be. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { fill } from '../../base/format';
import type { Instructions } from '../../data/conversation-record';
import { chatStrings as words } from '../chat-strings';
import { isOwnSystem } from '../presets';

export function roleLine(instructions: Instructions, open: () => void): TemplateResult | typeof nothing {
  const own = isOwnSystem(instructions);
  if (instructions.preset === 'assistant' && !own) return nothing;
  const { name } = words.presets[instructions.preset];
  const role = !own ? name : instructions.preset === 'assistant' ? words.ownRole : fill(words.ownRoleOf, { role: name });
  return html`<p class="role-line" data-testid="role-line">${fill(words.roleHere, { role })} <button type="button" class="role-change" aria-haspopup="dialog" @click=${open}>${words.roleChange}</button></p>`;
}
