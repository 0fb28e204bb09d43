/** A choice of a conversation as it grows: what the model thinks, apart from what it says. */
import { splitThoughts } from '../../base/thoughts.ts';

export interface Said {
  thoughts: string;
  answer: string;
}

export class Speech {
  #text = '';
  #thoughts = '';
  #isAnswering = false;

  /** What a piece of text adds to the thoughts and to the answer. Spaces between the two, and what may be a tag, wait for what follows. */
  take(piece: string): Said {
    // From the first letter of the answer on, all that comes is a part of it.
    if (this.#isAnswering) return { thoughts: '', answer: piece };
    this.#text += piece;
    const { thoughts, answer } = splitThoughts(this.#text);
    this.#isAnswering = answer !== '';
    return { thoughts: this.#more(thoughts), answer };
  }

  /** What was waiting: a beginning of a tag that nothing has followed is text. */
  end(): Said {
    if (this.#isAnswering || !splitThoughts(this.#text).isThinking) return { thoughts: '', answer: '' };
    // With any letter behind it, it is no tag.
    const { thoughts, answer } = splitThoughts(`${this.#text}.`);
    return answer === '' ? { thoughts: this.#more(thoughts.slice(0, -1).trimEnd()), answer } : { thoughts: '', answer: answer.slice(0, -1) };
  }

  #more(thoughts: string): string {
    const more = thoughts.slice(this.#thoughts.length);
    this.#thoughts += more;
    return more;
  }
}
