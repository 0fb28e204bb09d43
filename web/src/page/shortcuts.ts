/** Keys that do something wherever the keyboard is. Letters are told by what they type, so that every layout has them. */

export type Shortcut = 'palette' | 'newChat' | 'write' | 'sheet';

export interface Pressed {
  key: string;
  ctrl: boolean;
  shift: boolean;
  alt: boolean;
  /** In a field that takes text, letters are text. */
  writing: boolean;
}

export function shortcutOf({ key, ctrl, shift, alt, writing }: Pressed): Shortcut | undefined {
  const letter = key.toLowerCase();
  if (ctrl && !alt) {
    if (letter === 'k' && !shift) return 'palette';
    if (letter === 'o' && shift) return 'newChat';
    return undefined;
  }
  if (writing || ctrl || alt) return undefined;
  if (key === '?') return 'sheet';
  return key === '/' ? 'write' : undefined;
}

/** As they are shown. */
export const shortcutKeys = {
  palette: ['Ctrl', 'K'],
  newChat: ['Ctrl', 'Shift', 'O'],
  write: ['/'],
  sheet: ['?'],
  send: ['Enter'],
  line: ['Shift', 'Enter'],
  stop: ['Esc'],
} as const satisfies Record<string, readonly string[]>;
