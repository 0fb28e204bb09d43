/** How fast a model would be here, by what others of about its size were: a token takes one reading of the weights. */
import { sourceKey } from 'web-mamba';
import { catalogue, entrySource, replaced, type CatalogueEntry } from './catalogue';
import type { SpeedEstimates } from './speed-estimates';

/** What is so much smaller or larger is bound by something else, and tells nothing. */
const MOST_SCALE = 8;

/** Tokens per second: its own where it has answered here, else scaled from the nearest in size; undefined where none is near. */
export function rateOf(entry: CatalogueEntry, backend: 'cpu' | 'webgpu', speeds: Pick<SpeedEstimates, 'decodeRate'>, base: string): number | undefined {
  const scale = ({ bytes }: CatalogueEntry) => Math.max(bytes / entry.bytes, entry.bytes / bytes);
  const measured = [...catalogue, ...replaced].flatMap((each) => {
    const rate = speeds.decodeRate(sourceKey(entrySource(each, base)), backend);
    return rate === undefined || scale(each) > MOST_SCALE ? [] : [{ each, rate }];
  });
  const [nearest] = measured.sort((a, b) => scale(a.each) - scale(b.each));
  return nearest && (nearest.rate * nearest.each.bytes) / entry.bytes;
}
