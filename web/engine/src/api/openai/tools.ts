/** Tools that an answer may, or has to, call: OpenAI's options, checked and in the engine's own terms. */
import { failure } from '../../base/failure.ts';
import type { ModelInfo, Tool } from '../../base/wasm-engine.ts';
import type { AnswerForm } from '../../protocol/protocol.ts';
import { checkedOptions, flag, listOf, oneOf, text, wrongOption, type Kind, type Kinds } from '../checks.ts';
import { schema } from '../form.ts';
import { callFormats, callGrammar, callsInTextGrammar } from './call-format.ts';
import type { ReaderOptions } from './call-reader.ts';
import type { ChatCompletionTool, ToolChoice } from './types.ts';

/** OpenAI's own rule for the name of a function. */
const NAME = /^[\w-]{1,64}$/;
const name: Kind = { fits: (value) => typeof value === 'string' && NAME.test(value), expected: 'a name of 1 to 64 letters, digits, underscores and dashes' };
const object: Kind = { fits: (value) => typeof value === 'object', expected: 'a function with name and parameters' };

const CHOICES = '\'none\', \'auto\', \'required\' or { type: \'function\', function: { name } }';
const toolKinds: Kinds = { type: oneOf('function'), function: object };
const functionKinds: Kinds = { name, description: text, parameters: schema, strict: flag };
const choiceKinds: Kinds = { type: oneOf('function'), function: object };

export const toolsKinds = {
  tools: listOf('an array of tools', () => true),
  tool_choice: { fits: (value) => ['none', 'auto', 'required'].includes(value as string) || typeof value === 'object', expected: CHOICES },
  parallel_tool_calls: flag,
} as const satisfies Kinds;

/** What there is to call, and whether that has to be. */
export interface CallsAsked {
  tools: readonly Tool[];
  /** Names of those whose arguments follow their schemas in any case. */
  strict: ReadonlySet<string>;
  /** `required`: one of the tools; a name: the tool of that name. */
  choice: 'auto' | 'required' | { name: string };
  isParallel: boolean;
}

/** What an answer that may call tools is asked for, and read by. */
export interface CallsWish {
  tools: Tool[];
  /** What the answer is held to where it has to call, or where what it may call is strict. */
  form?: AnswerForm;
  reader: ReaderOptions;
}

/** How a model calls tools, where it can. */
export type CallingModel = Pick<ModelInfo, 'toolFormat' | 'toolOpening'>;

/** @throws {MambaError} where the model's template has no tools. */
export function callsWish({ tools, strict, choice, isParallel }: CallsAsked, { toolFormat, toolOpening: opening }: CallingModel): CallsWish {
  if (!toolFormat) throw failure('no-tools', { option: 'tools' });
  const format = callFormats[toolFormat];
  const named = typeof choice === 'object' ? tools.filter((tool) => tool.function.name === choice.name) : tools;
  const isMany = isParallel && typeof choice !== 'object';
  const isStrict = ({ function: { name: called } }: Tool) => strict.has(called);
  const grammar = choice !== 'auto' ? callGrammar(format, named, { isMany, opening }) : strict.size > 0 ? callsInTextGrammar(format, tools, { isMany, opening, isStrict }) : undefined;
  return {
    tools: [...tools],
    ...(grammar === undefined ? {} : { form: { kind: 'grammar', text: grammar } }),
    reader: { format, names: new Set(tools.map((tool) => tool.function.name)), most: isMany ? Infinity : 1 },
  };
}

interface Options {
  tools?: unknown;
  tool_choice?: unknown;
  parallel_tool_calls?: boolean | null | undefined;
}

/** What options, each of which is of its kind, ask for together; nothing where no tool may be called. */
export function callsAsked({ tools: given, tool_choice: choice = 'auto', parallel_tool_calls: isParallel }: Options): CallsAsked | undefined {
  const checked = [...((given ?? []) as unknown[])].map((tool, at) => checkedTool(tool, `tools[${at}]`));
  const tools = checked.map(({ tool }) => tool);
  const strict = new Set(checked.filter(({ isStrict }) => isStrict).map(({ tool }) => tool.function.name));
  const twice = tools.findIndex((tool, at) => tools.some((other, before) => before < at && other.function.name === tool.function.name));
  if (twice >= 0) throw wrongOption(`tools[${twice}].function.name`, tools[twice]?.function.name, 'another name than that of a tool before it');
  if (tools.length === 0 && choice !== 'auto' && choice !== 'none') throw wrongOption('tool_choice', choice, '\'none\' or \'auto\', as it is to be without tools');
  if (tools.length === 0 || choice === 'none') return undefined;
  return { tools, strict, choice: choice === 'auto' || choice === 'required' ? choice : { name: chosen(choice, tools) }, isParallel: isParallel ?? true };
}

/** A tool as the model is told of it, and whether it is strict. */
function checkedTool(given: unknown, place: string): { tool: Tool; isStrict: boolean } {
  const { type, function: described } = checkedOptions<ChatCompletionTool>(given, toolKinds, { argument: place, within: `${place}.`, expected: 'a tool with type and function' });
  if (type === undefined) throw wrongOption(`${place}.type`, type, toolKinds.type?.expected ?? '');
  if (described === undefined) throw wrongOption(`${place}.function`, described, object.expected);
  const within = { argument: `${place}.function`, within: `${place}.function.` };
  const { name: called, description, parameters, strict } = checkedOptions<ChatCompletionTool['function']>(described, functionKinds, within);
  if (called === undefined) throw wrongOption(`${place}.function.name`, called, name.expected);
  const tool: Tool = { type, function: { name: called, ...(description === undefined || description === null ? {} : { description }), ...(parameters ? { parameters } : {}) } };
  return { tool, isStrict: strict === true };
}

function chosen(given: unknown, tools: readonly Tool[]): string {
  const { type, function: described } = checkedOptions<Exclude<ToolChoice, string>>(given, choiceKinds, { argument: 'tool_choice', within: 'tool_choice.', expected: CHOICES });
  if (type === undefined) throw wrongOption('tool_choice.type', type, choiceKinds.type?.expected ?? '');
  const { name: called } = checkedOptions<{ name: string }>(described, { name }, { argument: 'tool_choice.function', within: 'tool_choice.function.' });
  if (!tools.some((tool) => tool.function.name === called)) throw wrongOption('tool_choice.function.name', called, 'the name of one of the tools');
  return called ?? '';
}
