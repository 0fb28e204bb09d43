/** What the page keeps of conversations, and what its engine has read of them. */
import type { Page } from 'playwright-core';

/** The last message of the conversation that is shown, as it is stored: no Markdown is drawn in it. */
export async function lastStored(page: Page): Promise<string> {
  const id = new URL(page.url()).searchParams.get('chat');
  return page.evaluate(async (wanted) => {
    const database = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open('web-mamba-app');
      request.onsuccess = () => resolve(request.result);
    });
    const record = await new Promise<{ messages: { text: string }[] } | undefined>((resolve) => {
      const request = database.transaction('conversations').objectStore('conversations').get(wanted ?? '');
      request.onsuccess = () => resolve(request.result);
    });
    database.close();
    return record?.messages.at(-1)?.text ?? '';
  }, id);
}

/** From before the page is opened: notes how many tokens the engine reads for each answer, as its worker reports it. */
export async function noteReading(page: Page): Promise<() => Promise<number[]>> {
  await page.addInitScript(() => {
    const read: number[] = [];
    Object.assign(window, { read });
    const note = (event: Event) => {
      const [, tokens] = /"prefilledTokens":(\d+)/.exec(JSON.stringify((event as MessageEvent).data)) ?? [];
      if (tokens) read.push(Number(tokens));
    };
    const listen: EventTarget['addEventListener'] = MessagePort.prototype.addEventListener;
    MessagePort.prototype.addEventListener = function (this: MessagePort, ...[type, listener, options]: Parameters<typeof listen>) {
      if (type === 'message') listen.call(this, type, note);
      listen.call(this, type, listener, options);
    };
  });
  return () => page.evaluate(() => (window as unknown as { read: number[] }).read);
}
