/** A chat template of one's own in place of the file's, over the real engine, through a worker that breaks, and among tabs that share. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { LoadedModel } from 'web-mamba';
import { realPackage } from './real-model';

const OWN = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
const HI = [{ role: 'user', content: 'Hi' }] as const;
const RENDERED = '[user] Hi\n[assistant]';

afterEach(() => vi.unstubAllGlobals());

async function promptTokensOf(model: LoadedModel): Promise<number | undefined> {
  for await (const event of model.generate([...HI], { maxTokens: 1 })) if (event.type === 'end') return event.promptTokens;
  return undefined;
}

describe('a template of one’s own', () => {
  let real: Awaited<ReturnType<typeof realPackage>>;
  beforeEach(async () => void (real = await realPackage()), 60_000);

  test('is what conversations are written by, also in the worker that takes the place of one that broke', async () => {
    const { api, file, workers } = real;
    const model = await api.load(file, { backend: 'cpu', chatTemplate: OWN });
    const hasOwn = async () => {
      expect(await model.chatTemplate()).toBe(OWN);
      expect(await model.applyChatTemplate(HI)).toBe(RENDERED);
      const tokens = (await model.tokenize(RENDERED)).length;
      expect([await model.countTokens([...HI]), await promptTokensOf(model)]).toEqual([tokens, tokens]);
    };
    await hasOwn();
    workers[0]?.fault();
    await hasOwn();
    expect(workers).toHaveLength(2);
    await model.close();
    const other = await api.load(model.id, { backend: 'cpu', chatTemplate: null });
    expect(await other.chatTemplate()).toContain('<|im_start|>');
    await other.close();
  });

  test('that does not compile is refused with its line before anything comes, and keeps nothing from the next call', async () => {
    const { api, file } = real;
    const refused: unknown = await api.load(file, { backend: 'cpu', chatTemplate: 'a\n{% for m in messages %}\n{{ m.content | }}{% endfor %}' }).catch((thrown: unknown) => thrown);
    expect(refused).toMatchObject({ name: 'MambaError', code: 'own-chat-template', message: expect.stringContaining('(line 3)') as string, remedy: expect.stringContaining('chatTemplate') as string });
    const unknown: unknown = await api.load(file, { backend: 'cpu', chatTemplate: '{% for m in messages %}{{ m.content }}{% endfor %}\n{% if tools %}{{ tools | to_yaml }}{% endif %}' }).catch((thrown: unknown) => thrown);
    expect(unknown).toMatchObject({ code: 'own-chat-template', message: expect.stringContaining('no filter named `to_yaml` (line 2)') as string });
    expect(await api.models.list()).toEqual([]);
    for (const chatTemplate of [1, '', ' \n']) expect(await api.load(file, { chatTemplate } as object).catch((thrown: unknown) => thrown)).toMatchObject({ code: 'invalid-option', data: { option: 'chatTemplate' } });
  });

  test('that refuses a conversation fails that call: nothing is written in another form', async () => {
    const { api, file } = real;
    const model = await api.load(file, { backend: 'cpu', chatTemplate: "{% if messages | length > 1 %}\n{{ raise_exception('one at a time') }}{% endif %}{{ messages[0].content }}" });
    const two = [...HI, { role: 'assistant', content: 'Hello' }, { role: 'user', content: 'Bye' }];
    const message = expect.stringMatching(/one at a time.*line 2/) as string;
    await expect(model.generate(two).next()).rejects.toMatchObject({ code: 'own-chat-template', message });
    await expect(model.chat.completions.create({ messages: two as never })).rejects.toMatchObject({ code: 'own-chat-template', message });
    expect(await promptTokensOf(model)).toBe((await model.tokenize('Hi')).length);
    await model.close();
  });
});
