/** What the Hugging Face hub says of a file: its size and SHA-256, from the listing of its folder. */
import { failure } from '../base/failure.ts';
import type { DownloadLimits } from './download-job.ts';
import type { Environment } from './environment.ts';
import { fetchJson } from './listing.ts';
import type { PartPlan } from './model-record.ts';
import { hubUrl, partNames, type RemoteSource } from './model-source.ts';

export const HUB_BASE = 'https://huggingface.co';
/** A folder with more pages of files than this holds something else than models. */
const MOST_PAGES = 20;

interface HubFile {
  path: string;
  size: number;
  /** Only of files in large-file storage, as every model is; `oid` is their SHA-256. */
  lfs?: { oid: string; size: number };
}

type HubSource = Extract<RemoteSource, { kind: 'hub' }>;

/** The parts of a hub file, with what the hub lists of each. */
export async function hubParts(env: Environment, limits: DownloadLimits, source: HubSource, signal: AbortSignal, base = HUB_BASE): Promise<PartPlan[]> {
  const { repo, revision, file } = source;
  const folder = file.split('/').slice(0, -1).map((name) => `/${encodeURIComponent(name)}`).join('');
  const listing = new Map<string, HubFile>();
  let page: string | null = `${base}/api/models/${repo}/tree/${encodeURIComponent(revision)}${folder}`;
  for (let pages = 0; page !== null && pages < MOST_PAGES; pages += 1) {
    const { body, next }: { body: unknown; next: string | null } = await fetchJson(env, limits, page, signal);
    for (const entry of filesOf(body)) listing.set(entry.path, entry);
    page = next;
  }
  return partNames(file).map((name) => {
    const listed = listing.get(name);
    if (!listed) throw failure('hub-file', { name, repo });
    const sha256 = listed.lfs && /^[0-9a-f]{64}$/.test(listed.lfs.oid) ? listed.lfs.oid : undefined;
    return { name: name.split('/').pop() ?? name, url: hubUrl(repo, revision, name, base), length: listed.lfs?.size ?? listed.size, ...(sha256 ? { sha256 } : {}) };
  });
}

/** The files of a listing; anything that is not shaped like one is left out, and a wanted file that is missing is an error later. */
function filesOf(body: unknown): HubFile[] {
  if (!Array.isArray(body)) return [];
  return (body as Partial<HubFile & { type: string }>[]).filter(
    (entry): entry is HubFile => entry?.type === 'file' && typeof entry.path === 'string' && Number.isSafeInteger(entry.size) && (entry.size ?? -1) >= 0,
  );
}
