/** What the engine says on this page otherwise than by itself: with the names of the page's own buttons and addresses. */
import { FAMILIES, type OwnMessages } from 'web-mamba';

export const engineMessages: OwnMessages = {
  failures: {
    address: { sentence: '“{url}” is not an address that this page can open.', remedy: 'Use an address that begins with https:// and ends in .gguf, without a user’s name or password. With http:// only this page’s own server and this machine are allowed, since others could read and change on the way what comes.' },
    cors: { sentence: 'The server at {host} does not let other pages read its files (CORS).', remedy: 'Download the file yourself and open it with “From this computer…”, or use a host that allows it.' },
    'file-read': { sentence: 'The file {name} is no longer as it was: it was changed, moved or removed.', remedy: 'Choose it again with “From this computer…”.' },
    'file-permission': { sentence: 'This page may no longer read {name}.', remedy: 'Press “Try again” and allow it, or choose the file again with “From this computer…”.' },
    manifest: { sentence: 'The list at {url} does not describe a model as this page expects.', remedy: 'Make it anew with scripts/make-manifest, or use the address of the GGUF file itself.' },
    damaged: { sentence: 'The copy of {name} in this browser is damaged.', remedy: 'Use “Verify again” under “Choose a model”: damaged chunks are then fetched anew. Of a file of this computer, remove the copy and choose the file again.' },
    'not-stored': { sentence: 'This model is no longer kept in this browser.', remedy: 'Choose its file again with “From this computer…”.' },
    'engine-crashed-gpu': { sentence: 'The engine failed while it ran {name} on the GPU.', remedy: 'Try again, or open the page with ?backend=cpu. If that fails too, choose another model.' },
    'engine-restarted': { sentence: 'The engine failed, and is started anew.', remedy: 'Try again; if it happens again, please report it with the line below.' },
    unexpected: { sentence: 'Something unexpected went wrong.', remedy: 'Reload the page; if it happens again, please report it with the line below.' },
    architecture: { sentence: 'This page cannot run models of this architecture.', remedy: `Choose a ${FAMILIES} model.` },
    'no-gpu': { sentence: 'There is no GPU that this page can use.', remedy: 'Update the browser and the graphics driver, or open the page with ?backend=cpu.' },
    gpu: { sentence: 'The GPU failed.', remedy: 'Reload the page; if it happens again, open it with ?backend=cpu or choose a smaller model.' },
    'gpu-wrong': { sentence: 'This GPU computes wrongly: a test of it failed.', remedy: 'Update the browser and the graphics driver, or open the page with ?backend=cpu.' },
    'not-state': { sentence: 'This is not a saved state.', remedy: 'Choose a file that was saved with “Save memory”, and check that the address does not lead to a web page.' },
    'device-lost': { sentence: 'The GPU was lost again and again.', remedy: 'Reload the page; if it happens again, open it with ?backend=cpu or choose a smaller model.' },
    'token-range': { sentence: 'A token is outside the model’s vocabulary.', remedy: 'Start a new chat and try again.' },
  },
  soundRemedy: 'What is kept here is just what arrived, so fetching it again will not help: choose another file, or remove this one under “Choose a model”.',
};
