/** Code as runs of one kind each: keywords, strings, comments. A module of its own, with the grammars, which comes with the first code that names its language. */
import bash from 'highlight.js/lib/languages/bash';
import c from 'highlight.js/lib/languages/c';
import cpp from 'highlight.js/lib/languages/cpp';
import csharp from 'highlight.js/lib/languages/csharp';
import css from 'highlight.js/lib/languages/css';
import diff from 'highlight.js/lib/languages/diff';
import go from 'highlight.js/lib/languages/go';
import ini from 'highlight.js/lib/languages/ini';
import java from 'highlight.js/lib/languages/java';
import javascript from 'highlight.js/lib/languages/javascript';
import json from 'highlight.js/lib/languages/json';
import php from 'highlight.js/lib/languages/php';
import python from 'highlight.js/lib/languages/python';
import ruby from 'highlight.js/lib/languages/ruby';
import rust from 'highlight.js/lib/languages/rust';
import sql from 'highlight.js/lib/languages/sql';
import typescript from 'highlight.js/lib/languages/typescript';
import xml from 'highlight.js/lib/languages/xml';
import yaml from 'highlight.js/lib/languages/yaml';
import { createLowlight } from 'lowlight';

export type CodeKind = 'comment' | 'keyword' | 'string' | 'number' | 'name' | 'type' | 'added' | 'removed';

export interface CodeRun {
  text: string;
  /** Undefined for what has no colour of its own. */
  kind: CodeKind | undefined;
}

type Node = ReturnType<typeof lowlight.highlight>['children'][number];

/** Characters that are read for their colours, up to a line's end: some 250 lines, which take about 10 ms. */
const MOST_CHARACTERS = 8_000;
/** Of a line. Some grammars take a time that grows with its square. */
const LONGEST_LINE = 1000;

/** What the grammars name, by its first word. */
const KINDS: Readonly<Record<string, CodeKind>> = {
  comment: 'comment', quote: 'comment', doctag: 'comment',
  keyword: 'keyword', literal: 'keyword', 'selector-tag': 'keyword', meta: 'keyword', tag: 'keyword', name: 'keyword',
  string: 'string', regexp: 'string', char: 'string', code: 'string', link: 'string',
  number: 'number', symbol: 'number', bullet: 'number', 'template-variable': 'number',
  title: 'name', attr: 'name', attribute: 'name', property: 'name', section: 'name', 'selector-class': 'name', 'selector-id': 'name', 'selector-attr': 'name', 'selector-pseudo': 'name',
  type: 'type', built_in: 'type', class: 'type',
  addition: 'added', deletion: 'removed',
};

const lowlight = createLowlight({ bash, c, cpp, csharp, css, diff, go, ini, java, javascript, json, php, python, ruby, rust, sql, typescript, xml, yaml });

/** Undefined where the language is none of those that are known. */
export function codeRuns(code: string, language: string): CodeRun[] | undefined {
  const name = language.toLowerCase();
  if (!lowlight.registered(name)) return undefined;
  const read = code.slice(0, readable(code));
  const runs: CodeRun[] = [];
  // Hostile code nests as deep as it is long: no recursion.
  const open: { node: Node; around: CodeKind | undefined }[] = lowlight.highlight(name, read).children.map((node) => ({ node, around: undefined }));
  open.reverse();
  for (let next = open.pop(); next; next = open.pop()) {
    const { node, around } = next;
    if (node.type === 'text') add(runs, node.value, around);
    if (node.type !== 'element') continue;
    const kind = kindOf(node.properties.className, around);
    for (let at = node.children.length - 1; at >= 0; at -= 1) open.push({ node: node.children[at] as Node, around: kind });
  }
  add(runs, code.slice(read.length), undefined);
  return runs;
}

/** Up to where its colours are read. The rest has none. */
function readable(code: string): number {
  let end = 0;
  while (end < code.length) {
    const next = code.indexOf('\n', end) + 1 || code.length;
    if (next > MOST_CHARACTERS || next - end > LONGEST_LINE) break;
    end = next;
  }
  return end;
}

function kindOf(names: unknown, around: CodeKind | undefined): CodeKind | undefined {
  const [name] = Array.isArray(names) ? (names as string[]) : [];
  const scope = name?.replace('hljs-', '') ?? '';
  // What stands in a string for a value is no string.
  return scope === 'subst' ? undefined : (KINDS[scope] ?? around);
}

function add(runs: CodeRun[], text: string, kind: CodeKind | undefined): void {
  const last = runs.at(-1);
  if (last && last.kind === kind) last.text += text;
  else if (text !== '') runs.push({ text, kind });
}
