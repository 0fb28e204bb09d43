/**
 * A thinking RWKV-7 that says what a test wants: after each token of its script comes the next one, whatever was asked. Its blocks
 * add nothing, so the last token alone decides. For pages that show what no model of random weights writes.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { GOLDEN_MODELS } from './folders';
import { f32Tensors, metadataStrings, withMetadata } from './gguf-metadata';

const TOKENS = 'tokenizer.ggml.tokens';
const WIDTH = 128;
const END = 0;

interface Script {
  /** Each piece is one token. */
  thought: string[];
  answer: string[];
  /** After its last piece the thought begins anew. */
  endless?: boolean;
}

/** It ends a thought that a prompt has opened, or an empty one of the prompt's, with a `>`, as models do that think. */
export function scriptedModel({ thought, answer, endless = false }: Script): Buffer {
  const golden = readFileSync(path.join(GOLDEN_MODELS, 'rwkv7-a-F32.gguf'));
  const tokens = metadataStrings(golden, TOKENS);
  const place = (text: string) => tokens.indexOf(text);
  // What only other tests need of the vocabulary makes room.
  let free = place(' the');
  const end = place('think');
  const add = (text: string) => {
    if (free === end) throw new Error('the script has more pieces than the vocabulary has room');
    tokens[free] = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
    return free++;
  };
  const thinking = thought.map((piece, index) => add(index === 0 ? `>\n${piece}` : piece));
  const saying = answer.map((piece, index) => add(index === 0 ? `>\n${piece}` : piece));
  const closing = add('</think');
  const chains = [[place('think'), ...thinking, endless ? (thinking[0] ?? END) : closing], [closing, ...saying, END]];
  const file = withMetadata(golden, { [TOKENS]: { strings: tokens }, 'general.name': { string: 'RWKV7-G1 scripted' } });
  write(f32Tensors(file), chains, tokens.length);
  return file;
}

/** Embeddings of ±1 are almost orthogonal: a row of the head that equals one gives its token's follower 128, and others about 11. */
function write(tensors: Map<string, Float32Array>, chains: number[][], count: number): void {
  for (const [name, weights] of tensors) {
    if (/time_mix_output|channel_mix_value|norm\.bias|^output\.weight/.test(name)) weights.fill(0);
    if (/norm\.weight/.test(name)) weights.fill(1);
  }
  const [embeddings, head] = ['token_embd.weight', 'output.weight'].map((name) => tensors.get(name));
  if (!embeddings || !head) throw new Error('the file has no embeddings');
  let seed = 1;
  for (let at = 0; at < count * WIDTH; at += 1) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    embeddings[at] = seed >>> 31 ? 1 : -1;
  }
  for (const chain of chains) {
    chain.slice(1).forEach((next, index) => {
      const before = chain[index] ?? END;
      for (let at = 0; at < WIDTH; at += 1) head[next * WIDTH + at]! += embeddings[before * WIDTH + at]!;
    });
  }
}
