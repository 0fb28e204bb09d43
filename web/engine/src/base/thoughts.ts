/**
 * An answer's text is what the model wrote, its thoughts included, so that a conversation can be stored, shown and gone on with as it is.
 * Here the two are told apart, in an answer that is still growing too.
 */

/** The text of an answer, taken apart. */
export interface ThoughtfulAnswer {
  /** What the model thought first, without its tags; empty where it did not think. */
  thoughts: string;
  /** What it says. */
  answer: string;
  /** Whether it is still thinking. */
  isThinking: boolean;
}

const OPENING = '<think>';
const CLOSING = '</think>';

/**
 * A text that begins with `<think>…</think>` begins with a thought, and so does one that is about to. Tags anywhere else are text.
 * Empty lines before the answer, which models write after a thought and after an empty one of the prompt's, are no part of it.
 */
export function splitThoughts(text: string): ThoughtfulAnswer {
  const thoughts: string[] = [];
  for (let rest = text; ; ) {
    const begun = rest.trimStart();
    if (!begun.startsWith(OPENING)) {
      // A tag that is not whole yet: what it will be is not known, and a part of it is nothing to show.
      const isTag = begun !== '' && OPENING.startsWith(begun);
      return { thoughts: thoughts.join('\n\n'), answer: isTag ? '' : rest === text ? withoutFirstLineBreaks(text) : begun, isThinking: isTag };
    }
    const end = begun.indexOf(CLOSING);
    const thought = begun.slice(OPENING.length, end < 0 ? undefined : end);
    const shown = (end < 0 ? withoutPartialTag(thought) : thought).trim();
    if (shown !== '') thoughts.push(shown);
    if (end < 0) return { thoughts: thoughts.join('\n\n'), answer: '', isThinking: true };
    rest = begun.slice(end + CLOSING.length);
  }
}

/** The text that is taken apart into these. */
export function joinThoughts({ thoughts, answer }: Pick<ThoughtfulAnswer, 'thoughts' | 'answer'>): string {
  return thoughts === '' ? answer : `${OPENING}${thoughts}${CLOSING}${answer}`;
}

function withoutFirstLineBreaks(text: string): string {
  return text.slice(/^\s*(\n|$)/.exec(text)?.[0].length);
}

/** A thought without the closing tag's beginning at its end. */
function withoutPartialTag(thought: string): string {
  for (let length = CLOSING.length - 1; length > 0; length -= 1) {
    if (thought.endsWith(CLOSING.slice(0, length))) return thought.slice(0, -length);
  }
  return thought;
}
