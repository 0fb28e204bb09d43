/** Reads an answer aloud, by voices of this device alone. Where there are none, there is no button. */
import { voiceFor } from '../voices';

/** Browsers fall silent in the middle of long texts: a paragraph is read at a time. */
const LONGEST = 2000;

export class ReadAloud {
  /** The message that is being read. */
  reading: number | undefined;
  readonly #speech = 'speechSynthesis' in window ? speechSynthesis : undefined;
  /** Those of a reading that was ended say so later. */
  #turn = 0;

  constructor(private readonly changed: () => void) {
    // They come after the page.
    this.#speech?.addEventListener?.('voiceschanged', changed);
  }

  get isPossible(): boolean {
    return this.#speech?.getVoices().some(({ localService }) => localService) ?? false;
  }

  /** Begins, or ends where it is this message that is being read. */
  toggle(id: number, text: string): void {
    const ends = this.reading === id;
    this.stop();
    const voice = this.#speech && voiceFor(text, this.#speech.getVoices(), navigator.languages);
    if (ends || !voice) return;
    this.reading = id;
    const turn = this.#turn;
    const parts = text.split(/\n+/).flatMap((line) => line.match(new RegExp(`.{1,${LONGEST}}`, 'gu')) ?? []).filter((line) => line.trim() !== '');
    const over = () => turn === this.#turn && this.stop();
    parts.forEach((part, index) => {
      const utterance = new SpeechSynthesisUtterance(part);
      utterance.voice = voice;
      utterance.lang = voice.lang;
      utterance.addEventListener('error', over);
      if (index === parts.length - 1) utterance.addEventListener('end', over);
      this.#speech?.speak(utterance);
    });
    this.changed();
  }

  stop(): void {
    this.#turn += 1;
    if (this.reading === undefined) return;
    this.reading = undefined;
    this.#speech?.cancel();
    this.changed();
  }
}
