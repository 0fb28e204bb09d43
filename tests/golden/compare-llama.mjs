/**
 * Our logits beside llama.cpp's (npm `node-llama-cpp`), of GGUF files that both read: `scripts/compare-llama` starts it.
 *
 * usage: node compare-llama.mjs TOOL PEER_FOLDER FILE.gguf ...
 *
 * Both have to read each prompt as the same tokens. Of each both give log-probabilities after its last token, teacher-forced over the same ids. llama.cpp multiplies quantised weights with
 * activations in 8 bits, and so do we with `--activations q8`; f32 is what both approximate. Held are, over all prompts of a file:
 * the Kullback-Leibler divergence of llama.cpp's distribution from ours, the likeliest token, where it leads the next by more than the two
 * differ, and the largest difference among its hundred likeliest tokens. The bounds follow from what rounding of activations to 8 bits does.
 */
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const PROMPTS = [
  'The license',
  'Permission is hereby granted, free of charge, to any person obtaining a copy',
  'Once upon a time there was a little mouse who lived in',
  'fn main() {\n    let numbers = vec![1, 2, 3];\n    for number in',
  'GNU  General\tPublic License 1234567 version 3.0\n\n  don\'t I\'LL  naïve 日本語 🚀 x==y',
];
const LIKELIEST = 100;
/** Nats. Random models of two layers differ by 0.025 and 0.7 with 4-bit weights; of files without quants only sums differ. */
const BOUNDS = { quantised: { divergence: 0.05, difference: 1 }, whole: { divergence: 1e-3, difference: 0.1 } };

const [tool, folder, ...files] = process.argv.slice(2);
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(createRequire(path.join(folder, 'package.json')).resolve('node-llama-cpp')).href);
const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error });

const asked = (...words) => JSON.parse(execFileSync(tool, [...words, '--json'], { encoding: 'utf8', maxBuffer: 2 ** 26 }));

/** Log-probabilities of all tokens, by id. */
function ours(file, ids, activations) {
  const { logits } = asked('logits', file, '--backend', 'cpu', '--activations', activations, '--tokens', ids.join(','));
  const most = Math.max(...logits);
  const sum = Math.log(logits.reduce((total, logit) => total + Math.exp(logit - most), 0)) + most;
  return logits.map((logit) => logit - sum);
}

/** Its probabilities as log-probabilities, likeliest first: `[id, logarithm]`. */
async function theirs(sequence, ids) {
  await sequence.clearHistory();
  const input = [...ids.slice(0, -1), [ids.at(-1), { generateNext: { probabilities: true } }]];
  const { next } = (await sequence.controlledEvaluate(input)).at(-1);
  return [...next.probabilities].map(([id, probability]) => [Number(id), Math.log(probability)]);
}

function compared(mine, their) {
  const divergence = their.reduce((sum, [id, log]) => (Number.isFinite(log) ? sum + Math.exp(log) * (log - mine[id]) : sum), 0);
  const difference = Math.max(...their.slice(0, LIKELIEST).map(([id, log]) => Math.abs(log - mine[id])));
  const likeliest = mine.indexOf(Math.max(...mine));
  const [[first, lead], [, next]] = their;
  return { divergence, difference, agrees: likeliest === first || lead - next <= 2 * difference };
}

let isRight = true;
for (const file of files) {
  const { tensors } = asked('inspect', file);
  const model = await llama.loadModel({ modelPath: file });
  const context = await model.createContext({ contextSize: 512 });
  const sequence = context.getSequence();
  const bounds = tensors.some(({ type }) => /^I?Q/.test(type)) ? BOUNDS.quantised : BOUNDS.whole;
  const prompts = PROMPTS.map((prompt) => ({ prompt, ids: model.tokenize(prompt, false).map(Number) }));
  const misread = prompts.filter(({ prompt, ids }) => String(asked('tokenize', file, '--text', prompt).ids) !== String(ids));
  if (misread.length > 0) console.log(JSON.stringify({ model: path.basename(file), misread: misread.map(({ prompt }) => prompt) }));
  isRight &&= misread.length === 0;
  for (const activations of ['f32', 'q8']) {
    const rows = [];
    for (const { ids } of prompts) rows.push(compared(ours(file, ids, activations), await theirs(sequence, ids)));
    const [divergence, difference] = ['divergence', 'difference'].map((name) => Math.max(...rows.map((row) => row[name])));
    const agree = rows.filter(({ agrees }) => agrees).length;
    const isHeld = rows.length > 0 && divergence <= bounds.divergence && difference <= bounds.difference && agree === rows.length;
    isRight &&= isHeld;
    console.log(JSON.stringify({ model: path.basename(file), activations, divergence, difference, likeliest: `${agree} of ${rows.length}`, bounds, held: isHeld }));
  }
  await context.dispose();
  await model.dispose();
}
await llama.dispose();
process.exit(isRight && files.length > 0 ? 0 : 1);
