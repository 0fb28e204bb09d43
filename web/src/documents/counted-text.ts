/** A text with the tokens of each of its blocks, as one model counts them, and where it is cut for that model. */
import type { Section, SectionSummary, SummaryStyle } from '../data/document-records';
import { passagesFor } from './passages';
import { answerTokens, PROMPT_TOKENS, sectionTokens, summaryTokens } from './prompts';
import { sectionsOf, type Block } from './sections';

/** A passage that answers a question is about so long; then it says where it is, and several fit. */
export const PASSAGE_TOKENS = 300;

export class CountedText {
  readonly total: number;
  readonly #sections = new Map<SummaryStyle, readonly Section[]>();

  constructor(
    /** Key of the model. */
    readonly model: string,
    /** Tokens that it was trained on at once. */
    readonly context: number,
    private readonly blocks: readonly Block[],
    private readonly tokens: readonly number[],
  ) {
    this.total = tokens.reduce((sum, each) => sum + each, 0);
  }

  /** One part where all of it is read in one pass, else as many as it takes. */
  sections(style: SummaryStyle): readonly Section[] {
    const known = this.#sections.get(style);
    if (known) return known;
    const whole = this.context - PROMPT_TOKENS - summaryTokens(style, this.context);
    const sections = this.total <= whole ? [{ start: 0, end: this.blocks.at(-1)?.end ?? 0, tokens: this.total }] : this.#cut(this.blocks);
    this.#sections.set(style, sections);
    return sections;
  }

  /** What another model has finished stays as it is, and what is between is cut for this one. */
  goOn(sections: readonly SectionSummary[], style: SummaryStyle): SectionSummary[] {
    const finished = sections.filter(({ summary }) => summary !== null);
    if (finished.length === 0) return this.sections(style).map((section) => ({ ...section, summary: null }));
    const gaps = [...finished, undefined].map((next, index) => {
      const [start, end] = [finished[index - 1]?.end ?? 0, next?.start ?? Infinity];
      return this.#cut(this.blocks.filter((block) => block.start >= start && block.end <= end));
    });
    return gaps.flatMap((gap, index) => [...gap.map((section) => ({ ...section, summary: null })), ...finished.slice(index, index + 1)]);
  }

  /** The parts that a question is about; none where the whole text is read. */
  async passages(question: string, text: string): Promise<Section[]> {
    const room = this.context - PROMPT_TOKENS - answerTokens(this.context);
    return this.total <= room ? [] : passagesFor(question, text, this.parts(), room);
  }

  /** All of it, in parts of the length of a passage. */
  parts(): Section[] {
    return sectionsOf(this.blocks, this.tokens, PASSAGE_TOKENS);
  }

  #cut(blocks: readonly Block[]): Section[] {
    const first = blocks[0] ? this.blocks.indexOf(blocks[0]) : 0;
    return sectionsOf(blocks, this.tokens.slice(first, first + blocks.length), this.context - PROMPT_TOKENS - sectionTokens(this.context));
  }
}
