const TITLE_CHARACTERS = 60;

/** The first line of a text, cut at a word. */
export function shortened(text: string): string {
  const line = text.trim().split('\n', 1)[0] ?? '';
  if (line.length <= TITLE_CHARACTERS) return line;
  return `${line.slice(0, TITLE_CHARACTERS).replace(/\s+\S*$/, '')}…`;
}
