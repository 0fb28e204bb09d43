/**
 * All the English of the engine: what its failures say, and the few words around its numbers. `setMessages` puts others in its place.
 * `{name}` is filled in by `fill` of `format.ts`.
 */

/** What a failure says to a person. */
export interface FailureText {
  /** What went wrong. */
  sentence: string;
  /** What that person can do. */
  remedy: string;
}

/** The families of models that the engine runs, for sentences: the only place where these names stand. `families!` of `crate/src/error/remedy.rs` is the same. */
export const FAMILIES = 'Mamba, Falcon-Mamba or RWKV-7';

/** From an error's code to its sentence: first what this side of the engine finds, then the codes of `crate/src/error.rs`. */
const failures = {
  address: { sentence: '“{url}” is not an address that a model can come from.', remedy: 'Use an address that begins with https:// and ends in .gguf, without a user’s name or password. With http:// only the page’s own server and this machine are allowed, since others could read and change on the way what comes.' },
  'http-status': { sentence: 'The server did not give the model: it answered {status}.', remedy: 'Check the address for a typing mistake, and whether the file has moved or needs a sign-in.' },
  cors: { sentence: 'The server at {host} does not let other pages read its files (CORS).', remedy: 'Download the file yourself and open it as a file, or use a host that allows it.' },
  network: { sentence: '{host} could not be reached.', remedy: 'Check the connection and the address, then try again.' },
  interrupted: { sentence: 'The download of {name} broke off; {received} of it are kept here.', remedy: 'Check the connection and try again: it goes on where it stopped.' },
  'interrupted-early': { sentence: 'The download of {name} from {host} broke off at its beginning.', remedy: 'Check the connection and the address, then try again.' },
  'server-busy': { sentence: '{host} is busy and asks to be tried later.', remedy: 'Wait a few minutes and try again: what has arrived is kept here.' },
  'wrong-range': { sentence: '{host} sends other parts of the file than it is asked for.', remedy: 'Try again later, or get the model from another server: what has arrived is kept here.' },
  'other-file': { sentence: '{host} sends something other than the file {name} that was begun: another version of it, or a page in its place.', remedy: 'Try again later: what has arrived is kept here.' },
  'wrong-bytes': { sentence: '{name} arrives damaged: it is not the file that its publisher lists (SHA-256).', remedy: 'Try again later, or get the model from another server.' },
  changing: { sentence: '{name} changes on its server while it is fetched.', remedy: 'Wait until its publisher has finished, then try again.' },
  paused: { sentence: 'The download is paused.', remedy: 'Resume it when you like: what has arrived is kept here.' },
  discarded: { sentence: 'The download was cancelled, and nothing of it is kept.', remedy: 'Choose a model when you like.' },
  manifest: { sentence: 'The list at {url} does not describe a model.', remedy: 'Make it anew with scripts/make-manifest, or use the address of the GGUF file itself.' },
  'hub-file': { sentence: 'The repository {repo} has no file {name}.', remedy: 'Check the name on the repository’s page: the file may have been renamed or removed.' },
  'in-use': { sentence: 'Another tab is using this model.', remedy: 'Wait until it has finished, or close it, and try again.' },
  'file-read': { sentence: 'The file {name} is no longer as it was: it was changed, moved or removed.', remedy: 'Choose it again.' },
  'file-permission': { sentence: 'The file {name} may no longer be read.', remedy: 'Try again and allow it, or choose the file again.' },
  'no-room': { sentence: 'There is not enough room in this browser: the model needs {needed} more and {available} are free.', remedy: 'Free at least {missing} of disk space or remove models that are kept here, or choose a smaller one.' },
  'no-room-left': { sentence: 'This browser ran out of room. {missing}', remedy: 'Free disk space, or remove models that are kept here, and try again: a download goes on where it stopped.' },
  storage: { sentence: 'This browser does not let the page store the model.', remedy: 'Leave private browsing, or allow this site to store data, and reload the page.' },
  blocked: { sentence: 'Another tab of this page, of an older version, keeps the stored models to itself.', remedy: 'Close the other tabs of this page, then reload this one.' },
  'older-page': { sentence: 'Another tab has brought the stored models to a newer version than this one knows.', remedy: 'Reload this page.' },
  damaged: { sentence: 'The copy of {name} in this browser is damaged.', remedy: 'Verify it again: damaged chunks are then fetched anew. Of a file of this computer, remove the copy and choose the file again.' },
  'not-stored': { sentence: 'This model is no longer kept in this browser.', remedy: 'Choose its file again.' },
  'engine-start': { sentence: 'The engine did not start in this browser.', remedy: 'Try again, or reload the page; if that does not help, update the browser.' },
  'engine-blocked': { sentence: 'The browser blocked the engine: the page’s policy forbids its script ({rule}).', remedy: 'Have the page’s Content-Security-Policy name the place of the package’s files in script-src, with ‘wasm-unsafe-eval’, and in worker-src; where they are another origin’s, worker-src needs blob: too. Or host them at the page’s own origin (setAssets).' },
  'engine-unreachable': { sentence: 'The engine’s files could not be loaded from {address}.', remedy: 'Check that the package’s files are there, that their server allows other origins to read them (CORS) and sends scripts as text/javascript, and that the page’s Content-Security-Policy lets script-src and connect-src have them. Or host them at the page’s own origin (setAssets).' },
  'engine-crashed': { sentence: 'The engine failed while it worked on {name}.', remedy: 'Try again. If it fails the same way, the model’s file is damaged or more than this browser can run: choose another model.' },
  'engine-crashed-gpu': { sentence: 'The engine failed while it ran {name} on the GPU.', remedy: 'Try again, or run it on the CPU. If that fails too, choose another model.' },
  'engine-silent': { sentence: '{name} did not answer any more, and was ended.', remedy: 'Try again, or choose a smaller model.' },
  'engine-restarted': { sentence: 'The engine failed, and is started anew.', remedy: 'Try again; if it happens again, please report it.' },
  'tab-closed': { sentence: 'The tab that ran {name} was closed.', remedy: 'Try again: another tab has the model now.' },
  cancelled: { sentence: 'This was cancelled.', remedy: 'Try again when you like.' },
  unexpected: { sentence: 'Something unexpected went wrong.', remedy: 'Reload the page; if it happens again, please report it.' },

  'not-gguf': { sentence: 'This is not a GGUF model file.', remedy: 'Choose a file whose name ends in .gguf, and check that the address does not lead to a web page.' },
  'gguf-version': { sentence: 'This GGUF file has a version that is not supported.', remedy: 'Use a file made by a current llama.cpp converter.' },
  truncated: { sentence: 'The model file is truncated: it ends too early.', remedy: 'Get the file again; this copy is incomplete.' },
  'malformed-gguf': { sentence: 'The model file is damaged.', remedy: 'Get the file again; if it fails the same way, the file itself is broken.' },
  metadata: { sentence: 'The model file lacks something that its architecture needs.', remedy: `Use a file made by llama.cpp’s converter from a ${FAMILIES} model.` },
  architecture: { sentence: 'This model has an architecture that is not supported.', remedy: `Choose a ${FAMILIES} model.` },
  tensor: { sentence: 'The weights in this file do not fit its architecture, or have a type that is not supported.', remedy: 'Use a file made by llama.cpp’s converter, in one of the supported types.' },
  split: { sentence: 'The split model is incomplete or mixed.', remedy: 'Provide every part of the set, all from the same release.' },
  tokenizer: { sentence: 'The model’s vocabulary cannot be used.', remedy: 'Use a file with a byte-level BPE or RWKV World vocabulary, converted by a current llama.cpp.' },
  'chat-template': { sentence: 'The model’s chat template cannot be used.', remedy: 'Choose a model that was made for chat.' },
  'no-tools': { sentence: 'The model’s chat template has no tools, or calls them in a form that is not known.', remedy: 'Leave tools and calls of them out, or choose a model whose chat template calls tools as Hermes and Qwen, Llama 3 or Mistral do.' },
  'own-chat-template': { sentence: 'A conversation cannot be written with this chat template: {problem}', remedy: 'Correct the template in the line that the message names, or leave the option chatTemplate out: then the template of the model’s file holds.' },
  'token-range': { sentence: 'A token is outside the model’s vocabulary.', remedy: 'Begin anew and try again.' },
  grammar: { sentence: 'The answer cannot be held to the form that was asked for: {problem}', remedy: 'Change the schema, the expression or the grammar: the message says what cannot be done with it.' },
  'empty-prompt': { sentence: 'There is nothing to answer.', remedy: 'Write something first.' },
  'invalid-option': { sentence: 'An option has a value that is not allowed.', remedy: 'Correct the option and try again.' },
  'invalid-request': { sentence: 'The engine did not understand the request.', remedy: 'Reload the page to bring all its parts to the same version.' },
  read: { sentence: 'The stored model could not be read.', remedy: 'Reload the page; if it happens again, remove the model and download it again.' },
  'no-gpu': { sentence: 'There is no GPU that can be used.', remedy: 'Update the browser and the graphics driver, or run the model on the CPU.' },
  gpu: { sentence: 'The GPU failed.', remedy: 'Reload the page; if it happens again, run the model on the CPU or choose a smaller model.' },
  'gpu-wrong': { sentence: 'This GPU computes wrongly: a test of it failed.', remedy: 'Update the browser and the graphics driver, or run the model on the CPU.' },
  'out-of-memory': { sentence: 'The model does not fit in memory.', remedy: 'Close other tabs and programs, or choose a smaller model.' },
  worker: { sentence: 'One of the workers that share the model failed.', remedy: 'Load the model again. If it happens again, close other tabs or choose a smaller model.' },
  state: { sentence: 'The saved state belongs to another model.', remedy: 'Use a state that was saved with this very model.' },
  'not-state': { sentence: 'This is not a saved state.', remedy: 'Choose a file that was saved as a state, and check that the address does not lead to a web page.' },
  'state-version': { sentence: 'The state was saved by another version.', remedy: 'Reload the page, or save the state again with this version.' },
  'state-damaged': { sentence: 'The saved state is damaged.', remedy: 'Get the file again: this copy is not what was saved.' },
  'state-model': { sentence: 'The state was saved with another model.', remedy: 'Open the model that it was saved with, then the state.' },
  'not-finite': { sentence: 'The model computed something that is not a number.', remedy: 'Ask anew; if it happens again, the model’s file is damaged: remove it and download it again, or choose another model.' },
  'tuned-state': { sentence: 'This tuned state cannot be used with this model.', remedy: 'Use a state that was tuned for a model of this very size (.pth, .safetensors or .st), and get the file again if it may be damaged.' },
  'state-beginning': { sentence: 'This conversation began from a tuned state that is not kept here any more.', remedy: 'Open the file of that tuned state again, or begin a new conversation.' },
  'state-unknown': { sentence: 'There is no state to go on from.', remedy: 'Ask something first.' },
  'device-lost': { sentence: 'The GPU was lost again and again.', remedy: 'Reload the page; if it happens again, run the model on the CPU or choose a smaller model.' },
  freed: { sentence: 'This model was closed while it was asked.', remedy: 'Open it again, then try again.' },
  busy: { sentence: 'The model is still busy with the last answer.', remedy: 'Wait for the running answer to end, or stop it.' },
} as const satisfies Record<string, FailureText>;

/** A code of the engine's own failures. */
export type EngineCode = keyof typeof failures;

/** All that the engine says to people. */
export interface Messages {
  failures: Readonly<Record<EngineCode, FailureText>>;
  /** Names of bytes, and of 1000, 1000², 1000³ and 1000⁴ of them. */
  units: readonly [string, string, string, string, string];
  /** What `no-room-left` says of a download. */
  stillMissing: string;
  /** The detail of a model that does not fit. */
  fitsDetail: string;
  /** What grants too little, where it is neither a GPU nor the CPU. */
  thisDevice: string;
  /** The remedy where a file is at fault, and its copy is sound. */
  soundRemedy: string;
  /** What a call says of an option that it does not have, and of options and arguments that it cannot take. */
  misuse: Readonly<Record<'unknown' | 'option' | 'unsupported' | 'argument' | 'meant' | 'known' | 'leaveOut' | 'correct', string>>;
}

/** The messages where no others are set. */
export const ENGLISH: Messages = {
  failures,
  units: ['bytes', 'kB', 'MB', 'GB', 'TB'],
  stillMissing: '{missing} of the model are still missing.',
  fitsDetail: 'It needs {needed}; {adapter} grants {available}. In all the model takes {total}. {message}.',
  thisDevice: 'this device',
  soundRemedy: 'What is kept here is just what arrived, so fetching it again will not help: choose another file.',
  misuse: {
    unknown: 'There is no option “{option}”.',
    option: 'The option “{option}” is {found}, which is not {expected}.',
    unsupported: 'The option “{option}” is {found}: the engine cannot do what it asks for.',
    argument: 'The argument “{argument}” is {found}, which is not {expected}.',
    meant: 'Write “{suggestion}”, if that is what you mean.',
    known: 'The options of this call are {known}.',
    leaveOut: 'Leave it out.',
    correct: 'Compare the call with the types that the package declares.',
  },
};

/** Messages that take the place of the English ones; what is absent stays English. */
export type OwnMessages = Partial<Omit<Messages, 'failures'>> & { failures?: Partial<Messages['failures']> };

let own: OwnMessages = {};
let current: Messages = ENGLISH;

/**
 * Says what failures say from now on, in this thread and in engines that are started after it. To be called before the first client is
 * made: an engine that runs keeps the messages that it began with.
 */
export function setMessages(messages: OwnMessages): void {
  own = messages;
  current = { ...ENGLISH, ...messages, failures: { ...ENGLISH.failures, ...messages.failures } };
}

/** The messages that hold now. */
export function messages(): Messages {
  return current;
}

/** What has taken the place of the English messages. */
export function ownMessages(): OwnMessages {
  return own;
}
