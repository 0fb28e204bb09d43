/** How much was read for an answer, and how much was known from before. */
import { fill } from '../../base/format';
import type { ReadFigures } from '../../data/document-records';
import { documentStrings as words } from '../document-strings';

export function readFigures({ read, known }: ReadFigures): string {
  const [newly, before] = [read, known].map((tokens) => tokens.toLocaleString('en'));
  return fill(known === 0 ? words.figures : words.figuresKnown, { read: newly ?? '', known: before ?? '' });
}
