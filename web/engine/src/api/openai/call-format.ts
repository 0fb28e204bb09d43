/**
 * The forms in which models write calls of tools. What a form is stands in one table: answers are read by it (`CallReader`), and held to
 * it by a grammar. How conversations have calls is in the model's own template.
 */
import type { Tool, ToolFormat } from '../../base/wasm-engine.ts';

export interface CallFormat {
  /** What stands before a call, or before a list of them; empty where a call is all of the answer. */
  opening: string;
  /** What stands after a call. */
  closing: string;
  /** Whether the calls are one JSON list, whose opening may be a control token, which no text has. */
  isList: boolean;
  /** What a call has its arguments by. */
  argumentsName: 'arguments' | 'parameters';
}

export const callFormats: Readonly<Record<ToolFormat, CallFormat>> = {
  hermes: { opening: '<tool_call>', closing: '</tool_call>', isList: false, argumentsName: 'arguments' },
  llama: { opening: '', closing: '', isList: false, argumentsName: 'parameters' },
  mistral: { opening: '[TOOL_CALLS]', closing: '', isList: true, argumentsName: 'arguments' },
};

/** JSON on one line, as templates show calls. */
const ONE_LINE = { whitespace_flexible: false, item_separator: ', ', key_separator: ': ' };
/** Of a function that says nothing of its arguments. */
const NO_ARGUMENTS = { properties: {}, additionalProperties: false };

export interface CallGrammarOptions {
  /** Whether there may be several calls. */
  isMany: boolean;
  /** The control token that stands before a list of calls, in place of its text. */
  opening?: number | undefined;
}

const quoted = (value: string) => JSON.stringify(value);
/** A text within a regular expression of Lark. */
const escaped = (value: string) => value.replace(/[[\]{}()*+?.\\^$|/]/g, String.raw`\$&`);
const ANY = String.raw`(.|\n)*`;

/** The grammar, in Lark, of an answer that calls one of the tools, or several where `isMany`, and says nothing else. */
export function callGrammar(format: CallFormat, tools: readonly Tool[], { isMany, opening }: CallGrammarOptions): string {
  const before = format.isList ? (opening === undefined ? '' : `${control(opening)} `) : format.opening && `${quoted(format.opening)} `;
  const more = isMany && !format.isList && format.opening !== '' ? ` (${quoted(`\n${format.opening}`)} calls)*` : '';
  return [`start: ${before}calls${more}`, ...callRules(format, tools, isMany, () => true)].join('\n');
}

/**
 * The grammar of an answer that says anything, and may call tools: from the opening of a call on it is one of a tool, and the arguments of
 * those that are `strict` follow their schemas. Where calls are all of an answer, one that begins as a call does is one.
 */
export function callsInTextGrammar(format: CallFormat, tools: readonly Tool[], { isMany, opening, isStrict }: CallGrammarOptions & { isStrict: (tool: Tool) => boolean }): string {
  const rules = callRules(format, tools, isMany, isStrict);
  const text = (...forbidden: readonly string[]) => `TEXT: ${[`/${ANY}/`, ...forbidden.map((beginning) => `~/${beginning}${ANY}/`)].join(' & ')}`;
  const marked = ANY + escaped(format.opening);
  const startsAtOnce = format.isList || format.opening === '';
  if (!startsAtOnce) {
    // `opened` ends with the first opening.
    return [`start: ${isMany ? '(opened calls)* TEXT' : 'opened calls | TEXT'}`, `opened[lazy]: /${marked}/`, text(marked), ...rules].join('\n');
  }
  const first = opening === undefined ? quoted(format.opening) : control(opening);
  return [
    // The model may think before.
    'start: answer | thought+ BLANK? answer',
    String.raw`thought[lazy]: /\s*<think>(.|\n)*<\/think>/`,
    String.raw`BLANK: /[ \r\n\t]+/`,
    `answer: ${format.isList ? `${first} calls | LIST items` : 'calls'} | TEXT`,
    // The longest lexeme is taken, so blanks before a bracket, which may be of a text too, are the bracket's.
    ...(format.isList ? [String.raw`LIST: /[ \r\n\t]*\[/`, text(String.raw`\s*<think>`, String.raw`\s*\[\s*\{`, marked)] : [text(String.raw`\s*<think>`, String.raw`\s*\{`)]),
    ...rules,
  ].join('\n');
}

const control = (token: number) => `<[${token}]>`;

/** `calls`: what follows an opening, one call, or a list of them, of which `items` is what follows its bracket. */
function callRules({ opening, closing, isList, argumentsName }: CallFormat, tools: readonly Tool[], isMany: boolean, isStrict: (tool: Tool) => boolean): string[] {
  const [before, after] = opening === '' ? ['', ''] : ['"\\n" ', ` ${quoted(`\n${closing}`)}`];
  return [
    ...(isList ? ['calls: "[" items', `items: call${isMany ? ' (", " call)*' : ''} "]"`] : [`calls: ${before}call${after}`]),
    `call: ${tools.map((_, at) => `call_${at}`).join(' | ')}`,
    ...tools.flatMap((tool, at) => [
      `call_${at}: ${quoted(`{"name": "${tool.function.name}", "${argumentsName}": `)} arguments_${at} "}"`,
      `arguments_${at}: %json ${JSON.stringify({ type: 'object', ...(isStrict(tool) ? tool.function.parameters ?? NO_ARGUMENTS : {}), 'x-guidance': ONE_LINE })}`,
    ]),
  ];
}
