/** Every sentence that the page says, in one file. `{name}` is filled in by `fill` of `format.ts`. */

export const strings = {
  product: 'web-mamba',
  newChat: 'New chat',
  chooseModel: 'Choose a model',
  currentModel: 'Model: {name}. Choose another.',

  welcomeTitle: 'Chat with a model on your own machine',
  welcomeText: 'It runs in this page. Nothing that you write leaves this device.',
  limitsLink: 'What to expect of it',
  suggestions: 'Things to try',
  prompts: [
    'Explain in a few sentences how a rainbow forms.',
    'Write a short, friendly note that thanks a neighbour.',
    'Give me three ideas for a rainy afternoon.',
    'What makes a state-space model different from a transformer?',
  ],

  log: 'Conversation',
  you: 'You',
  model: 'Model',
  thinking: 'Thinking',
  waitingForModel: 'Waiting for the model',
  reading: 'Reading {done} of {total} tokens',
  stats: '{rate} tokens/s · first word after {first} · {tokens} tokens',
  statsShort: 'first word after {first}',
  stopped: 'stopped',
  lengthReached: 'stopped at {tokens} tokens',
  emptyAnswer: 'The model ended without a word.',
  copy: 'Copy answer',
  copied: 'Copied',
  toLatest: 'Jump to the latest words',

  inputLabel: 'Your message',
  inputPlaceholder: 'Write a message',
  inputHint: 'Enter sends, Shift+Enter starts a new line, Esc stops',
  send: 'Send',
  stop: 'Stop',

  opening: 'Opening {name}',
  downloading: 'Downloading {name}',
  importing: 'Copying {name} into this browser',
  preparing: 'Preparing {name}',
  amount: '{done} of {total}',
  webgpu: 'WebGPU',
  cpu: 'CPU',
  notLoaded: 'No model is loaded',

  dialogTitle: 'Choose a model',
  close: 'Close',
  builtIn: 'Ready to try',
  onThisComputer: 'Kept in this browser',
  kept: 'kept here',
  remove: 'Remove from this browser',
  fromAddress: 'From an address…',
  addressLabel: 'Address of a GGUF file',
  addressPlaceholder: 'https://…/model.gguf',
  addressHint: 'Any Mamba or Falcon-Mamba model in GGUF form. Of a split set, give any one part.',
  open: 'Open',
  fromComputer: 'From this computer…',
  chooseFile: 'Choose a file',
  fileHint: 'A .gguf file, or all parts of a split set. It is copied into this browser, so that it opens again later.',

  cardTitle: 'About this model',

  tryAgain: 'Try again',
  useDemo: 'Use the demo model',
  dismiss: 'Dismiss',
} as const;

interface FailureText {
  /** What went wrong, for a person. */
  sentence: string;
  /** What that person can do. */
  remedy: string;
}

/** The one table from an error's code to its sentence: first the page's own codes, then those of `crate/src/error.rs`. */
export const failures = {
  address: { sentence: '“{url}” is not an address that this page can open.', remedy: 'Use an address that begins with https:// and ends in .gguf.' },
  'http-status': { sentence: 'The server did not give the model: it answered {status}.', remedy: 'Check the address for a typing mistake, and whether the file has moved or needs a sign-in.' },
  cors: { sentence: 'The server at {host} does not let other pages read its files (CORS).', remedy: 'Download the file yourself and open it with “From this computer…”, or use a host that allows it.' },
  network: { sentence: '{host} could not be reached.', remedy: 'Check the connection and the address, then try again.' },
  interrupted: { sentence: 'The download of {name} broke off after {received}.', remedy: 'Check the connection and try again.' },
  'short-file': { sentence: 'The file {name} is truncated: it ended after {received} of {expected}.', remedy: 'Try again; if it stops at the same place, the copy on the server is incomplete.' },
  'no-room': { sentence: 'There is not enough room in this browser: the model needs {needed} and {available} are free.', remedy: 'Free some disk space, remove a model that is kept here, or choose a smaller one.' },
  'no-room-left': { sentence: 'This browser ran out of room while it stored the model.', remedy: 'Free some disk space, remove a model that is kept here, or choose a smaller one.' },
  storage: { sentence: 'This browser does not let the page store the model.', remedy: 'Leave private browsing, or allow this site to store data, and reload the page.' },
  'not-stored': { sentence: 'This model is no longer kept in this browser.', remedy: 'Choose its file again with “From this computer…”.' },
  'engine-start': { sentence: 'The engine did not start in this browser.', remedy: 'Reload the page; if that does not help, update the browser.' },
  cancelled: { sentence: 'This was cancelled.', remedy: 'Try again when you like.' },
  unexpected: { sentence: 'Something unexpected went wrong.', remedy: 'Reload the page; if it happens again, please report it with the line below.' },

  'not-gguf': { sentence: 'This is not a GGUF model file.', remedy: 'Choose a file whose name ends in .gguf, and check that the address does not lead to a web page.' },
  'gguf-version': { sentence: 'This GGUF file has a version that is not supported.', remedy: 'Use a file made by a current llama.cpp converter.' },
  truncated: { sentence: 'The model file is truncated: it ends too early.', remedy: 'Get the file again; this copy is incomplete.' },
  'malformed-gguf': { sentence: 'The model file is damaged.', remedy: 'Get the file again; if it fails the same way, the file itself is broken.' },
  metadata: { sentence: 'The model file lacks something that a Mamba model needs.', remedy: 'Use a file made by llama.cpp’s converter from a Mamba or Falcon-Mamba model.' },
  architecture: { sentence: 'This model has another architecture; this page runs Mamba and Falcon-Mamba.', remedy: 'Choose a Mamba or Falcon-Mamba model.' },
  tensor: { sentence: 'The weights in this file do not fit a Mamba model, or have a type that is not supported.', remedy: 'Use a file made by llama.cpp’s converter, in one of the supported types.' },
  split: { sentence: 'The split model is incomplete or mixed.', remedy: 'Provide every part of the set, all from the same release.' },
  tokenizer: { sentence: 'The model’s vocabulary cannot be used.', remedy: 'Use a file with a byte-level BPE vocabulary, converted by a current llama.cpp.' },
  'chat-template': { sentence: 'The model’s chat template cannot be used.', remedy: 'Choose a model that was made for chat.' },
  'token-range': { sentence: 'A token is outside the model’s vocabulary.', remedy: 'Start a new chat and try again.' },
  'empty-prompt': { sentence: 'There is nothing to answer.', remedy: 'Write something first.' },
  'invalid-option': { sentence: 'An option has a value that is not allowed.', remedy: 'Correct the option and try again.' },
  'invalid-request': { sentence: 'The engine did not understand the request.', remedy: 'Reload the page to bring all its parts to the same version.' },
  read: { sentence: 'The stored model could not be read.', remedy: 'Reload the page; if it happens again, remove the model and download it again.' },
  'no-gpu': { sentence: 'There is no GPU that this page can use.', remedy: 'Update the browser and the graphics driver, or open the page with ?backend=cpu.' },
  gpu: { sentence: 'The GPU failed.', remedy: 'Reload the page; if it happens again, open it with ?backend=cpu or choose a smaller model.' },
  'gpu-wrong': { sentence: 'This GPU computes wrongly: a test of it failed.', remedy: 'Update the browser and the graphics driver, or open the page with ?backend=cpu.' },
  'out-of-memory': { sentence: 'The model does not fit in memory.', remedy: 'Close other tabs and programs, or choose a smaller model.' },
  state: { sentence: 'The saved state belongs to another model.', remedy: 'Use a state that was saved with this very model.' },
  busy: { sentence: 'The model is still busy with the last answer.', remedy: 'Wait for the running answer to end, or stop it.' },
} as const satisfies Record<string, FailureText>;

/** A code that has a sentence. */
export type FailureCode = keyof typeof failures;
