/**
 * A chat in a terminal:   node chat.mjs [--webgpu] [question]
 * Models are kept in the folder `models`, and a second start downloads nothing. Without a question it reads one line after the other.
 */
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { webMamba } from 'web-mamba/node';

const { values, positionals } = parseArgs({ options: { webgpu: { type: 'boolean' } }, allowPositionals: true });
const WebMamba = webMamba({ folder: new URL('models/', import.meta.url), webgpu: values.webgpu });
const model = await WebMamba.load('https://example.org/models/model.gguf');
console.error(`${model.name} on ${model.info.adapter} (${model.info.backend}). ${model.info.reason ?? ''}`);

const messages = [];
for await (const content of positionals.length > 0 ? [positionals.join(' ')] : lines()) {
  messages.push({ role: 'user', content });
  const answer = { role: 'assistant', content: '' };
  for await (const event of model.generate(messages, { maxTokens: 200 })) {
    if (event.type !== 'token' && event.type !== 'end') continue;
    process.stdout.write(event.text);
    answer.content += event.text;
  }
  process.stdout.write('\n');
  messages.push(answer);
}
await model.close();

async function* lines() {
  const terminal = createInterface({ input: process.stdin, output: process.stderr, prompt: '> ' });
  terminal.prompt();
  for await (const line of terminal) {
    if (line.trim() !== '') yield line;
    terminal.prompt();
  }
}
