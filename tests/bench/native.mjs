/**
 * `web-mamba bench` beside llama.cpp's own CPU backend (npm `node-llama-cpp`, prebuilt for the processor), one thread each, in turns:
 * tokens/s of reading 512 tokens and of writing 64, medians. `scripts/bench-native` starts it.
 *
 * usage: node native.mjs TOOL PEER_FOLDER RUNS FILE.gguf ...
 */
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const PROMPT = 512;
const ANSWER = 64;
const [tool, folder, runs, ...files] = process.argv.slice(2);
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(createRequire(path.join(folder, 'package.json')).resolve('node-llama-cpp')).href);
const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error });

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Tokens a second. */
async function timed(tokens, work) {
  const start = performance.now();
  await work();
  return (1000 * tokens) / (performance.now() - start);
}

async function theirs(sequence) {
  await sequence.clearHistory();
  const prompt = Array.from({ length: PROMPT }, (_, index) => 7 + (index % 50));
  const prefill = await timed(PROMPT, () => sequence.evaluateWithoutGeneratingNewTokens(prompt));
  const decode = await timed(ANSWER, async () => {
    let written = 0;
    // Likeliest token, whatever it is: a random model may choose the end.
    for await (const token of sequence.evaluate([7], { temperature: 0, yieldEogToken: true })) if ((written += 1) === ANSWER || token === undefined) break;
    if (written < ANSWER) throw new Error(`the peer wrote ${written} tokens`);
  });
  return { prefill, decode };
}

function ours(file) {
  const options = ['--backend', 'cpu', '--threads', '1', '--prompt-tokens', String(PROMPT), '--gen-tokens', String(ANSWER), '--runs', '1', '--json'];
  const { prefill_tps: prefill, decode_tps: decode } = JSON.parse(execFileSync(tool, ['bench', file, ...options], { encoding: 'utf8' }));
  return { prefill, decode };
}

for (const file of files) {
  const model = await llama.loadModel({ modelPath: file });
  const context = await model.createContext({ contextSize: 2048, batchSize: PROMPT, threads: 1 });
  const sequence = context.getSequence();
  // The first is the warm-up; the tool has its own.
  await theirs(sequence);
  const figures = { ours: [], theirs: [] };
  for (let run = 0; run < Number(runs); run += 1) {
    figures.ours.push(ours(file));
    figures.theirs.push(await theirs(sequence));
  }
  const row = { model: path.basename(file, '.gguf') };
  for (const what of ['prefill', 'decode']) {
    const [mine, their] = [median(figures.ours.map((each) => each[what])), median(figures.theirs.map((each) => each[what]))];
    Object.assign(row, { [what]: Number(mine.toFixed(1)), [`peer ${what}`]: Number(their.toFixed(1)), [`times ${what}`]: Number((mine / their).toFixed(2)) });
  }
  console.log(JSON.stringify(row));
  await context.dispose();
  await model.dispose();
}
