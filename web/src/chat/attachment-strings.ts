/** What is said of documents that a chat is answered from. */
export const attachmentStrings = {
  attach: 'Attach',
  attachHint: 'Attach documents: this chat is then answered from them. You can drop or paste files too.',
  list: 'Documents that this chat is answered from',
  arriving: 'reading',
  arrivingPages: 'page {done} of {total}',
  cancel: 'Leave out {name}',
  dismiss: 'Dismiss {name}',
  detach: 'Take {name} out of this chat; it stays under Documents',
  detachDeleted: 'Take {name} out of this chat',
  show: 'Show {name}',
  password: 'Password of {name}',
  unlock: 'Open',
  deleted: 'deleted: it is no longer read',
  pasted: 'What you pasted is long: it is a document now, and this chat is answered from it.',
  putBack: 'Put it back as text',
  notUpTo: '{name} is not up to questions about a text: what it writes shows how this works, not what a document says.',

  sources: 'Nearest to this answer in the text:',
  showSource: 'Show it in the text',
  noSource: 'No sentence that was read has the words of this answer: check it against the text.',
} as const;
