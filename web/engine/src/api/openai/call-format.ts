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

/**
 * The grammar, in Lark, of an answer that calls one of the tools, or several where `isMany`, and says nothing else. A list goes without its
 * opening: as a control token it is none of the tokens that a grammar chooses from.
 */
export function callGrammar(format: CallFormat, tools: readonly Tool[], isMany: boolean): string {
  const text = (value: string) => JSON.stringify(value);
  const { opening, closing, isList, argumentsName } = format;
  const [before, after, between] = isList ? ['', '', ', '] : [opening && `${opening}\n`, closing && `\n${closing}`, '\n'];
  // Where a call is all of the answer, there is no second one.
  const more = isMany && (isList || opening !== '') ? ` (${text(between)} call)*` : '';
  const rules = tools.map(({ function: { name, parameters = NO_ARGUMENTS } }, at) => [
    `call_${at}: ${text(`${before}{"name": "${name}", "${argumentsName}": `)} arguments_${at} ${text(`}${after}`)}`,
    `arguments_${at}: %json ${JSON.stringify({ type: 'object', ...parameters, 'x-guidance': ONE_LINE })}`,
  ]);
  return [
    `start: ${isList ? `${text('[')} call${more} ${text(']')}` : `call${more}`}`,
    `call: ${tools.map((_, at) => `call_${at}`).join(' | ')}`,
    ...rules.flat(),
  ].join('\n');
}
