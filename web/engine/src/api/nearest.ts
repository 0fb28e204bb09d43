/** The known name that a mistaken one most likely stands for. */

/** A name may differ in a third of its letters. */
const LEAST_LIKENESS = 2 / 3;
/** The fewest letters of a name's beginning that stand for the name. */
const LEAST_BEGINNING = 3;

/** The one of `known` that is `name` in another spelling, or shortened, or with slips of the keyboard. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const likenesses = known.map((each) => likeness(plain(name), plain(each)));
  const best = Math.max(...likenesses);
  return best >= LEAST_LIKENESS ? known[likenesses.indexOf(best)] : undefined;
}

function plain(name: string): string {
  return name.replace(/[^\p{L}\p{N}]/gu, '').toLowerCase();
}

function likeness(a: string, b: string): number {
  const begins = (short: string, long: string) => short.length >= LEAST_BEGINNING && long.startsWith(short);
  const alike = 1 - distance(a, b) / Math.max(a.length, b.length, 1);
  return begins(a, b) || begins(b, a) ? Math.max(alike, LEAST_LIKENESS) : alike;
}

/** Letters that were added, left out, changed, or exchanged with their neighbour (optimal string alignment). */
function distance(a: string, b: string): number {
  let [before, last]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, at) => at)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const changed = a[i - 1] === b[j - 1] ? 0 : 1;
      const exchanged = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (before[j - 2] ?? 0) + 1 : Infinity;
      row.push(Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + changed, exchanged));
    }
    [before, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
