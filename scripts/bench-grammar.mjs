// How fast answers by a JSON schema are beside free ones in wasm: the packages of a page, in Node, on one thread of the CPU. Natively and on a
// GPU it is `cargo run --release -p web-mamba-grammar --example speed`, with the same schema and the same turns.
//   usage: node scripts/bench-grammar.mjs MODEL.gguf [SCHEMA.json]     (after scripts/build)
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import * as engine from '../web/engine/pkg/web_mamba.js';
import * as grammar from '../web/engine/pkg-grammar/web_mamba_grammar.js';

const [path, schemaPath] = process.argv.slice(2);
if (!path) throw new Error('usage: node scripts/bench-grammar.mjs MODEL.gguf [SCHEMA.json]');
const TOKENS = 100;
const TURNS = 7;

const text = (most) => ({ type: 'string', maxLength: most });
const object = (properties) => ({ type: 'object', additionalProperties: false, required: Object.keys(properties), properties });
// Long enough that no answer ends before its tokens are full.
const LIST = object({
  title: text(40),
  entries: { type: 'array', minItems: 64, maxItems: 64, items: object({ name: text(24), count: { type: 'integer', minimum: 0, maximum: 1000 } }) },
});
const schema = schemaPath ? readFileSync(schemaPath, 'utf8') : JSON.stringify(LIST);

const wasm = (name) => ({ module: readFileSync(new URL(`../web/engine/${name}`, import.meta.url)) });
engine.initSync(wasm('pkg/web_mamba_bg.wasm'));
grammar.initSync(wasm('pkg-grammar/web_mamba_grammar_bg.wasm'));
const bytes = new Uint8Array(readFileSync(path));
const source = { name: path, length: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
const model = await engine.loadModel([source], { backend: 'cpu' });

const since = (start) => performance.now() - start;
let start = performance.now();
const grammars = new grammar.Grammars(model.tokenTable());
const started = since(start);
start = performance.now();
const first = grammars.matcher('jsonSchema', schema);
console.log(`${model.info().name}: start over the vocabulary ${started.toFixed(0)} ms, compiling the schema ${since(start).toFixed(0)} ms`);

const masks = [];
let forced = 0;
function isOne(words) {
  const [some, ...more] = words.filter((word) => word !== 0);
  return more.length === 0 && some !== undefined && (some & (some - 1)) === 0;
}

function constraint() {
  const matcher = first.fork();
  const mask = () => {
    const asked = performance.now();
    const words = matcher.mask();
    masks.push(since(asked));
    if (isOne(words) && !matcher.mayEnd()) forced += 1;
    return words;
  };
  return { mask, mayEnd: () => matcher.mayEnd(), take: (token) => matcher.take(token) };
}

/** Tokens a second from the first token to the last. */
async function speed(byForm, seed) {
  const hot = { temperature: 1, topK: 0, topP: 1, minP: 0 };
  const form = byForm ? { constraint: { make: constraint } } : { ignoreEos: true };
  let given = 0;
  let begun = 0;
  let last = 0;
  for await (const event of model.generate('List them as JSON:', { ...hot, ...form, seed, maxTokens: TOKENS, reuse: false })) {
    if (event.type === 'end' && event.stop !== 'length') throw new Error('the answer ended before its tokens were full: take a schema of longer ones');
    if (event.type !== 'token') continue;
    last = performance.now();
    if (given === 0) begun = last;
    given += 1;
  }
  return (1e3 * (given - 1)) / (last - begun);
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
await speed(false, 0);
await speed(true, 0);
masks.length = 0;
forced = 0;
const free = [];
const formed = [];
for (let seed = 1; seed <= TURNS; seed += 1) {
  // Which comes first alternates.
  const order = seed % 2 === 0 ? [true, false] : [false, true];
  for (const byForm of order) (byForm ? formed : free).push(await speed(byForm, seed));
}
const ratio = median(formed.map((each, turn) => each / free[turn]));
masks.sort((a, b) => a - b);
const at = (part) => masks[Math.floor((masks.length - 1) * part)].toFixed(3);
console.log(`${TURNS} turns of ${TOKENS} tokens, medians: free ${median(free).toFixed(1)} tokens/s, by the schema ${median(formed).toFixed(1)}; ratio ${ratio.toFixed(3)} (of the turns' own)`);
console.log(`mask ${at(0.5)} ms, at the 99th percentile ${at(0.99)} ms, of ${masks.length}; ${forced} allowed one token alone`);
