/** Log-probabilities of tokens in OpenAI's shapes, and which tokens a piece of a choice's text is made of. */
import type { SampledLogprob, TokenLogprob } from '../../base/wasm-engine.ts';
import type { ChatCompletionLogprobs, ChatCompletionTokenLogprob, CompletionLogprobs } from './types.ts';

/** What OpenAI has for a token that is all but impossible. */
const LEAST = -9999;

const utf8 = new TextEncoder();
const least = ({ logprob }: TokenLogprob) => Math.max(LEAST, logprob);

/** The first tokens, up to the one that completes a text. */
function leading(tokens: readonly SampledLogprob[], text: string): SampledLogprob[] {
  let left = utf8.encode(text).length;
  return tokens.filter(({ bytes }) => {
    const isOfText = left > 0;
    left -= bytes.length;
    return isOfText;
  });
}

/** The last tokens, from the one on that begins a text. */
function trailing(tokens: readonly SampledLogprob[], text: string): SampledLogprob[] {
  return leading([...tokens].reverse(), text).reverse();
}

/** Tokens whose text has not come yet: half a character, what may begin a stop text, or a tag. */
export class WaitingTokens {
  #tokens: SampledLogprob[] = [];

  add(...tokens: readonly SampledLogprob[]): void {
    this.#tokens.push(...tokens);
  }

  /** All, since their text has come. */
  take(): SampledLogprob[] {
    const tokens = this.#tokens;
    this.#tokens = [];
    return tokens;
  }

  /** Those of the end's text. What follows it is of a stop text, and is no part of the choice. */
  takeEnd(text: string): SampledLogprob[] {
    return leading(this.take(), text);
  }

  /** Those of an answer's text. What is before it is of a thought, of a tag, or space that was left out. */
  takeAnswer({ thoughts, answer }: { thoughts: string; answer: string }): SampledLogprob[] {
    if (answer !== '') return trailing(this.take(), answer);
    if (thoughts !== '') this.take();
    return [];
  }
}

export function chatLogprobs(tokens: readonly SampledLogprob[]): ChatCompletionLogprobs {
  const shaped = (token: TokenLogprob) => ({ token: token.text, bytes: [...token.bytes], logprob: least(token) });
  const content = tokens.map((token): ChatCompletionTokenLogprob => ({ ...shaped(token), top_logprobs: token.top.map(shaped) }));
  return { content, refusal: null };
}

/** The older shape. Offsets go on from one piece of a choice to the next. */
export class TextLogprobs {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #length = 0;

  of(tokens: readonly SampledLogprob[]): CompletionLogprobs {
    return {
      tokens: tokens.map(({ text }) => text),
      token_logprobs: tokens.map(least),
      top_logprobs: tokens.map((token) => likeliest([...token.top, token])),
      text_offset: tokens.map(({ bytes }) => {
        const offset = this.#length;
        this.#length += this.#decoder.decode(Uint8Array.from(bytes), { stream: true }).length;
        return offset;
      }),
    };
  }
}

/** By their texts. Of several tokens with one text, which have parts of characters, the likeliest is there. */
function likeliest(tokens: readonly TokenLogprob[]): Record<string, number> {
  const all: Record<string, number> = Object.create(null) as Record<string, number>;
  for (const token of tokens) all[token.text] = Math.max(all[token.text] ?? LEAST, least(token));
  return { ...all };
}
