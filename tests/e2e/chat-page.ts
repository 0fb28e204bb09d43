/** The chat page as a visitor uses it: what to wait for and where to look. */
import type { Locator, Page } from 'playwright-core';

export class ChatPage {
  readonly input: Locator;
  readonly send: Locator;
  readonly stop: Locator;
  readonly backend: Locator;
  readonly progress: Locator;
  readonly error: Locator;
  readonly answers: Locator;
  readonly stats: Locator;

  constructor(readonly page: Page) {
    this.input = page.getByTestId('chat-input');
    this.send = page.getByTestId('send');
    this.stop = page.getByTestId('stop');
    this.backend = page.getByTestId('backend');
    this.progress = page.getByTestId('progress');
    this.error = page.getByTestId('error');
    this.answers = page.getByTestId('message-assistant');
    this.stats = page.getByTestId('stats');
  }

  /** Agrees to what the link names, which lies on another server. */
  async acceptLink(): Promise<void> {
    await this.page.getByTestId('link-accept').click();
  }

  /** Asks, waits until the answer has ended, and gives it with every length that it had on the way. */
  async ask(question: string): Promise<{ answer: string; lengths: number[] }> {
    const before = await this.stats.count();
    await this.input.fill(question);
    await this.watchLengths();
    await this.send.click();
    await this.stats.nth(before).waitFor();
    const lengths = await this.page.evaluate(() => (window as unknown as { lengths: number[] }).lengths);
    return { answer: (await this.answers.last().innerText()).trim(), lengths };
  }

  /** Asks, and ends the answer once it has words, which it gives. */
  async askForSomeWords(question: string): Promise<string> {
    const [answers, ended] = [await this.answers.count(), await this.stats.count()];
    await this.input.fill(question);
    await this.send.click();
    await this.answers.nth(answers).waitFor();
    await this.answerHasWords();
    // Does nothing where it has ended by itself.
    await this.input.press('Escape');
    await this.stats.nth(ended).waitFor();
    return (await this.answers.last().innerText()).trim();
  }

  /** Waits until the running answer has at least `length` characters. */
  async answerGrowsTo(length: number): Promise<void> {
    await this.page.waitForFunction(
      (least) => ([...document.querySelectorAll('[data-testid=message-assistant]')].at(-1)?.textContent ?? '').trim().length >= least,
      length,
    );
  }

  /** Waits until the running answer has a word: an answer that ends at "1." is a list's empty item, and shows no text. */
  private async answerHasWords(): Promise<void> {
    await this.page.waitForFunction(() => /\p{L}{2}/u.test([...document.querySelectorAll('[data-testid=message-assistant]')].at(-1)?.textContent ?? ''));
  }

  /** Notes each length of the last answer as it is drawn. */
  private async watchLengths(): Promise<void> {
    await this.page.evaluate(() => {
      const lengths: number[] = ((window as unknown as { lengths: number[] }).lengths = []);
      new MutationObserver(() => {
        const length = ([...document.querySelectorAll('[data-testid=message-assistant]')].at(-1)?.textContent ?? '').length;
        if (lengths.at(-1) !== length) lengths.push(length);
      }).observe(document.body, { childList: true, subtree: true, characterData: true });
    });
  }
}
