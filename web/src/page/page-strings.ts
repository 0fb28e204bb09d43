/** What the page says around its parts. */
export const pageStrings = {
  titled: '{title} · web-mamba',
  skip: 'Skip to the message box or the document',
  shareState: 'Save memory of this chat',
  shareStateHint: 'Save memory: what the model remembers of this chat, and what was said, as a file that opens with ?state=',
  labels: { shareState: 'Save memory', settings: 'Behaviour', newChat: 'New chat' },
  chooseModel: 'Choose a model',
  currentModel: 'Model: {name}. Choose another.',

  allChats: 'conversations',

  tryAgain: 'Try again',
  useDemo: 'Use the demo model',
  dismiss: 'Dismiss',

  navigation: 'Conversations and documents',
  openMenu: 'Open the menu',

  pastContext: 'This chat is longer than the {context} tokens that the model was trained on at once. You can go on; answers may drift.',
  startAfresh: 'Start afresh',

  newerOpen: 'Open {name}',

  erased: { all: 'All that this page kept on this device was deleted.', partly: 'Much was deleted, but another tab of this page holds the rest: close it, and delete everything again.' },

  installHint: 'This page can be installed as an app: a window and an icon of its own, also without a network.',
  install: 'Install',
  notInstall: 'Not now',

  newVersion: 'A new version of this page is ready.',
  useNewVersion: 'Use it',
} as const;
