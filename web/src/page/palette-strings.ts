/** What the palette and the sheet of shortcuts say; it comes with them. */
export const paletteStrings = {
  palette: 'Find and do',
  search: 'Find a conversation, a model, a role, a setting',
  none: 'Nothing here is called “{query}”.',
  count: '{count} found',
  groups: { actions: 'Do', chats: 'Conversations', roles: 'Role of this chat', models: 'Models kept here' },
  actions: {
    newChat: 'New chat',
    chat: 'Go to the chat',
    documents: 'Go to the documents',
    models: 'Choose a model',
    settings: 'Behaviour and settings',
    prompts: 'Own prompts',
    kept: 'What stays on this device',
    how: 'How it works',
    shortcuts: 'Keyboard shortcuts',
    exportChats: 'Export all conversations',
  },
  here: 'is set',

  shortcuts: 'Keyboard shortcuts',
  close: 'Close',
  orMac: 'On a Mac, the command key does as well as Ctrl.',
  keys: {
    palette: 'Find a conversation, a model, a role or a setting',
    newChat: 'New chat',
    write: 'Go to the message box',
    sheet: 'These shortcuts',
    send: 'Send the message',
    line: 'Start a new line',
    stop: 'Stop the answer; close what is open',
  },
} as const;
