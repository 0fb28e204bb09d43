/** Calls of tools in a real browser, on both backends: a small model whose chat template has tools, its call, and the turn after that. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import type { ChatCompletionBody } from '../../web/engine/src/index';
import { some } from './every-round';
import { GOLDEN_MODELS, HARNESS, ROOT } from './folders';
import { withMetadata } from './gguf-metadata';
import { withBrowser } from './opened';
import { Site } from './site';

const MODEL = '/with-tools.gguf';
const TEMPLATE = readFileSync(path.join(ROOT, 'tests/golden/templates/chats/qwen-2.5.jinja'), 'utf8');
const TOOLS = [
  {
    type: 'function',
    function: {
      name: 'get_weather', description: 'The weather of a place.',
      parameters: { type: 'object', additionalProperties: false, required: ['place', 'days'], properties: { place: { type: 'string', maxLength: 8 }, days: { type: 'integer', minimum: 1, maximum: 9 } } },
    },
  },
] as const;
const MESSAGES = [{ role: 'user', content: 'The license' }] as const;
const ASKED = { messages: MESSAGES, tools: TOOLS, tool_choice: 'required', parallel_tool_calls: false, temperature: 1, top_k: 0, max_tokens: 200 } as const;

const site = new Site(HARNESS);
const bytes = withMetadata(readFileSync(path.join(GOLDEN_MODELS, 'falcon-tiny-Q4_K_M.gguf')), { 'tokenizer.chat_template': { string: TEMPLATE } });
site.answer(MODEL, (_, response) => response.writeHead(200, { 'content-length': bytes.length }).end(bytes));
let browser: BrowserContext;
let page: Page;
withBrowser(site, {}, (opened) => (browser = opened));
beforeAll(async () => {
  page = await browser.newPage();
  await page.goto(site.url);
  await page.waitForFunction(() => 'called' in window);
});

test.each(some(['cpu', 'webgpu'] as const, 2))('on %s a call follows its schema, and its result is in the next turn', async (backend) => {
  const ask = (body: Omit<ChatCompletionBody, 'stream'>) => page.evaluate(([url, kind, given]) => window.called(url, kind, given), [MODEL, backend, body] as const);
  // Software's WebGPU takes half a minute for each.
  for (const seed of backend === 'cpu' ? [1, 2, 3] : [1]) {
    const { choices } = await ask({ ...ASKED, seed, n: 2 });
    for (const { message, finish_reason: finish } of choices) {
      expect([message.content, message.tool_calls?.length, message.tool_calls?.[0]?.function.name, finish]).toEqual([null, 1, 'get_weather', 'tool_calls']);
      const given = JSON.parse(message.tool_calls?.[0]?.function.arguments ?? '') as { place: string; days: number };
      expect([Object.keys(given), typeof given.place, [...given.place].length <= 8, Number.isInteger(given.days), given.days >= 1 && given.days <= 9]).toEqual([['place', 'days'], 'string', true, true, true]);
    }
  }
  const { choices: [choice] } = await ask({ ...ASKED, seed: 4 });
  const message = choice?.message;
  const call = message?.tool_calls?.[0];
  if (!message || !call) throw new Error('no call');
  const result = { role: 'tool', tool_call_id: call.id, content: '{"celsius": -3}' } as const;
  const { usage } = await ask({ messages: [...MESSAGES, message, result], tools: TOOLS, max_tokens: 2 });
  expect(usage.prompt_tokens).toBeGreaterThan(0);
  const said = [...MESSAGES, { role: 'assistant', content: '', tool_calls: [call] }, result];
  const text = await page.evaluate(([url, kind, given, tools]) => window.conversed(url, kind, given, { tools }), [MODEL, backend, said, TOOLS.map((tool) => ({ ...tool }))] as const);
  expect(text).toContain(`<tool_call>\n{"name": "get_weather", "arguments": ${call.function.arguments}}\n</tool_call><|im_end|>\n`);
  expect(text).toMatch(/<tool_response>\n\{"celsius": -3\}\n<\/tool_response><\|im_end\|>\n<\|im_start\|>assistant\n$/);
});
