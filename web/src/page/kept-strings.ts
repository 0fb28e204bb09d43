/** What the list of what stays on this device says. */
export const keptStrings = {
  title: 'What stays on this device',
  intro: 'All of this is in this browser and nowhere else. Nothing of it was sent anywhere.',
  counting: 'Being counted',
  kinds: {
    models: { name: 'Models', text: 'Downloaded once, or copied from files' },
    states: { name: 'What models have read', text: 'The memory of chats and documents, so that they need not be read again' },
    conversations: { name: 'Conversations', text: 'Every question and answer' },
    documents: { name: 'Documents', text: 'Their texts, summaries and questions' },
    settings: { name: 'Settings', text: 'How words are chosen, own prompts, and the like' },
    files: { name: 'Files of this page', text: 'So that it opens without a network' },
  },
  total: 'In all',
  close: 'Close',
  delete: 'Delete all of it',
  question: 'Delete all {bytes}? Models have to be downloaded anew; conversations, documents and prompts are gone. This can’t be taken back. Other tabs of this page should be closed first.',
  confirm: 'Delete everything',
  keep: 'Keep it',
  export: 'Export conversations first',
} as const;
