/** What the palette offers, and which of it a visitor means by some letters. */
import type { StoredModel } from 'web-mamba';
import type { View } from '../base/page-address';
import { chatStrings } from '../chat/chat-strings';
import type { ConversationHeader } from '../chat/conversation-store';
import { presetIds } from '../chat/presets';
import type { PresetId } from '../data/conversation-record';
import type { PageData } from './page-data';
import { paletteStrings as words } from './palette-strings';
import { shortcutKeys } from './shortcuts';

export type Command =
  | { kind: 'newChat' | 'models' | 'settings' | 'prompts' | 'kept' | 'how' | 'shortcuts' | 'exportChats' }
  | { kind: 'view'; view: View }
  | { kind: 'openChat'; id: string }
  | { kind: 'role'; preset: PresetId }
  | { kind: 'model'; model: StoredModel };

export type Group = keyof typeof words.groups;

export interface PaletteItem {
  id: string;
  group: Group;
  label: string;
  note: string;
  keys: readonly string[];
  command: Command;
}

/** Conversations that are listed at once. */
const MOST_CHATS = 20;

type Offered = Pick<PageData, 'chats' | 'stored' | 'url'>;

/** `chats`: the conversations that hold what is sought, newest first. */
export function paletteItems({ chats: { instructions }, stored, url }: Offered, query: string, chats: readonly ConversationHeader[]): PaletteItem[] {
  const { actions } = words;
  const does = (label: string, command: Command, keys: readonly string[] = []): PaletteItem => ({
    id: command.kind === 'view' ? command.view : command.kind, group: 'actions', label, note: '', keys, command,
  });
  const offered = [
    does(actions.newChat, { kind: 'newChat' }, shortcutKeys.newChat),
    does(actions.chat, { kind: 'view', view: 'chat' }),
    does(actions.documents, { kind: 'view', view: 'documents' }),
    does(actions.models, { kind: 'models' }),
    does(actions.settings, { kind: 'settings' }),
    does(actions.prompts, { kind: 'prompts' }),
    does(actions.exportChats, { kind: 'exportChats' }),
    does(actions.kept, { kind: 'kept' }),
    does(actions.how, { kind: 'how' }),
    does(actions.shortcuts, { kind: 'shortcuts' }, shortcutKeys.sheet),
    ...presetIds.map((preset): PaletteItem => ({
      id: `role-${preset}`, group: 'roles', label: chatStrings.presets[preset].name, note: preset === instructions.preset ? words.here : chatStrings.presets[preset].text, keys: [],
      command: { kind: 'role', preset },
    })),
    ...stored.filter(({ complete }) => complete).map((model): PaletteItem => ({
      id: `model-${model.url}`, group: 'models', label: model.name, note: model.url === url ? words.here : '', keys: [], command: { kind: 'model', model },
    })),
  ].filter((item) => matches(item, query));
  const found = chats.slice(0, MOST_CHATS).map(({ id, title, excerpt }): PaletteItem => ({
    id: `chat-${id}`, group: 'chats', label: title, note: excerpt, keys: [], command: { kind: 'openChat', id },
  }));
  // Without words, what one does comes first; with words, conversations are what was most likely meant.
  return query.trim() === '' ? [...offered.filter(({ group }) => group === 'actions'), ...found, ...offered.filter(({ group }) => group !== 'actions')] : [...offered, ...found];
}

/** Whether each word is in what it is called, in any case of letters and without their marks. */
function matches({ group, label, note }: PaletteItem, query: string): boolean {
  const text = folded(`${words.groups[group]} ${label} ${note}`);
  return folded(query).split(/\s+/).every((word) => text.includes(word));
}

function folded(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase().trim();
}
