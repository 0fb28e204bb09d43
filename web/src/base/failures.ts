import type { FailureText } from 'web-mamba';

/** From a code of the page's own to its sentence; the engine has its own in its `messages.ts`. */
export const failures = {
  declined: { sentence: 'As you chose, nothing from {host} is kept here.', remedy: 'Choose a model, or press “Try again” to be asked once more.' },
  replaced: { sentence: '{name} is no longer on this server: {newer} has taken its place.', remedy: 'Open {newer}. {name} itself opens only in a browser that keeps a whole copy of it.' },
  'hub-search': { sentence: 'The Hugging Face hub could not be searched.', remedy: 'Check the connection and try again, or give the address of a file under “From an address…”.' },
  'not-on-hub': { sentence: 'The hub has no file of {name} ({type}) under this name any more.', remedy: 'Choose another quantisation or model, or give the address of the file under “From an address…”.' },
  'files-refused': { sentence: 'The browser did not hand over the chosen files.', remedy: 'Try again, or drop the files on the page in place of choosing them.' },
  card: { sentence: 'What is written about the model could not be fetched.', remedy: 'Check the connection and try again; the chat itself needs none.' },
  'app-storage': { sentence: 'This browser does not let the page keep conversations and documents.', remedy: 'You can go on, but nothing will be here after a reload. To keep it, leave private browsing or allow this site to store data.' },
  'app-silent': { sentence: 'The browser gives no answer when this page asks it to keep something, as it may after its data was cleared.', remedy: 'You can go on: what you do is kept as soon as it answers. If it stays so, save your conversations as a file, reload this page and import them.' },
  'app-room': { sentence: 'This browser has no room left to keep what you do here.', remedy: 'You can go on, but the last words may be gone after a reload. Delete conversations, documents or models that you no longer need, or free disk space.' },
  'app-newer': { sentence: 'Another tab has brought the conversations and documents to a newer version than this page knows.', remedy: 'Reload this page: until then nothing that you do here is kept.' },
  'app-blocked': { sentence: 'Another tab of this page, of an older version, keeps the conversations and documents to itself.', remedy: 'Close the other tabs of this page: until then nothing that you do here is kept.' },
  'import-large': { sentence: 'This file holds more than this page takes in at once.', remedy: 'Use a file of at most {bytes}, with up to {conversations} conversations of {messages} messages. Nothing was changed.' },
  'no-model': { sentence: 'No model is loaded that could answer.', remedy: 'Choose one, or try again; what you wrote is kept.' },
  'refused-gpu-binding': { sentence: '{name} ({type}) is too large for this device: it needs {needed} in one piece, and the graphics card gives pages {available} at most.', remedy: '{instead}' },
  'refused-no-gpu': { sentence: '{name} ({type}) is too large for this device: it offers pages no graphics card, and its processor alone cannot hold it.', remedy: '{instead}' },
  'refused-memory': { sentence: '{name} ({type}) needs about {needed} of memory, and this device has {available}.', remedy: '{instead}' },
  'refused-storage': { sentence: '{name} ({type}) takes {size}, and this browser has {room} left to keep it.', remedy: 'Free disk space, or delete models that are kept here. {instead}' },
  'import-file': { sentence: 'This is not a file of conversations that this page or ChatGPT exported.', remedy: 'Choose a .json file that was made with “Export all conversations” or “Export as JSON”, or ChatGPT’s export, which is a .zip file. Nothing was changed.' },
  'file-kind': { sentence: 'This page cannot read {name}.', remedy: 'Use a PDF, DOCX, EPUB, RTF, HTML, Markdown or plain text file, or paste the text.' },
  'file-size': { sentence: '{name} is too large: it has {size}, and this page reads files of up to {most}.', remedy: 'Split it, save it without its pictures, or paste the part that matters.' },
  'too-much': { sentence: '{name} holds more text than this page can keep, or claims to.', remedy: 'Split it, or paste the part that matters.' },
  'too-complex': { sentence: '{name} is made of more parts, or has them deeper within each other, than this page can take apart.', remedy: 'Open it in the program that made it and save it as plain text, or paste the part that matters.' },
  'too-long': { sentence: 'Reading {name} did not get on for a minute, and was ended.', remedy: 'Open it in the program that made it and save it as plain text, or paste the part that matters.' },
  protected: { sentence: '{name} is locked by copy protection (DRM): only its shop’s own program can open it.', remedy: 'Use a copy without copy protection, or paste its text.' },
  'model-needed': { sentence: 'No model is open that could read this.', remedy: 'Choose a model, or go on with its download, then try again: nothing of what you asked is lost.' },
  extract: { sentence: '{name} could not be read: it is damaged, or not what its name says.', remedy: 'Open it in the program that made it, save it again and retry, or paste its text.' },
  password: { sentence: '{name} is protected by a password.', remedy: 'Give its password where that is asked for, save a copy without the password, or paste its text.' },
  'no-text': { sentence: '{name} holds no text.', remedy: 'Check that it is the right file, or paste its text.' },
  scan: { sentence: '{name} holds no text: it may be a scan, that is, pictures of pages.', remedy: 'Run text recognition (OCR) on it first, or paste its text.' },
  'not-drawn': { sentence: 'A part of the page could not be drawn; a message is shown as plain text.', remedy: 'Everything else goes on. If it happens again, please report it with the line below.' },
} as const satisfies Record<string, FailureText>;

/** A code of the page's own. */
export type PageCode = keyof typeof failures;
