/** Lines that define where links lead, `[1]: https://…`: models write their sources so. Markdown shows nothing of them; here they are read as they stand. */
import type { MarkdownIt, StateCore, Token } from 'markdown-it';

export function showDefinitions(markdown: MarkdownIt): void {
  markdown.core.ruler.after('block', 'definitions', definitions);
}

function definitions(state: StateCore): void {
  if (!state.tokens.some(({ type }) => type === 'reference_definition')) return;
  const lines = state.src.split('\n');
  let last: Token | undefined;
  state.tokens = state.tokens.flatMap((token) => {
    if (token.type !== 'reference_definition' || !token.map) {
      last = undefined;
      return [token];
    }
    const [start, end] = token.map;
    // Within quotes and lists, what is before its bracket is theirs.
    const content = lines.slice(start, end).join('\n').replace(/^[^[]*/, '').trimEnd();
    if (last?.map?.[1] === start) {
      Object.assign(last, { content: `${last.content}\n${content}`, map: [last.map[0], end] });
      return [];
    }
    last = Object.assign(new state.Token('inline', '', 0), { content, map: [start, end] as [number, number], level: token.level + 1, block: true, children: [] });
    const made = { block: true, level: token.level };
    return [
      Object.assign(new state.Token('paragraph_open', 'p', 1), made, { map: [start, end] as [number, number] }), last, Object.assign(new state.Token('paragraph_close', 'p', -1), made),
    ];
  });
}
