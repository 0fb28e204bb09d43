/**
 * Search of the Hugging Face hub for GGUF files of the architectures that run here. The hub learns what is looked for, and nothing is sent
 * before the visitor presses the button. Its answers are untrusted: what is not shaped as expected is left out.
 */
import { failure } from '../base/failure';

const HUB = 'https://huggingface.co';
/** As the hub names them, from the files' own headers. */
const ARCHITECTURES = ['mamba', 'rwkv7'];
/** Repositories whose files are listed: each is a request. */
const MOST_REPOSITORIES = 8;
const MOST_FOUND = 30;
const MOST_FILES = 40;
/** Weights take this part of what a model needs, or more: the state, and what is computed between, is small. */
const LEAST_MEMORY = 1.02;

export interface HubFile {
  /** What opens it. */
  address: string;
  name: string;
  bytes: number;
  /** Whether it is certainly too large for the memory that the device says it has. */
  tooLarge: boolean;
}

export interface HubModel {
  repo: string;
  page: string;
  files: readonly HubFile[];
}

export type SearchState =
  | { kind: 'idle' }
  | { kind: 'searching' }
  | { kind: 'found'; query: string; models: readonly HubModel[] };

export type Fetch = (url: string, signal: AbortSignal) => Promise<unknown>;

/** Throws `hub-search` where the hub gives no answer. `memory`: bytes that the device certainly has no more than. */
export async function searchHub(query: string, memory: number | undefined, signal: AbortSignal, fetchJson: Fetch = fetched): Promise<HubModel[]> {
  try {
    const found = await fetchJson(`${HUB}/api/models?search=${encodeURIComponent(query.trim())}&filter=gguf&limit=${MOST_FOUND}&expand[]=gguf`, signal);
    const repositories = listOf(found).filter(runs).flatMap(({ id }) => (typeof id === 'string' && /^(?!\.+\/)[\w.-]+\/(?!\.+$)[\w.-]+$/.test(id) ? [id] : [])).slice(0, MOST_REPOSITORIES);
    const models = await Promise.all(repositories.map((repo) => filesOf(repo, memory, signal, fetchJson)));
    return models.filter(({ files }) => files.length > 0);
  } catch (thrown) {
    signal.throwIfAborted();
    throw failure('hub-search', {}, String(thrown));
  }
}

function runs({ gguf }: Record<string, unknown>): boolean {
  const { architecture } = (typeof gguf === 'object' && gguf !== null ? gguf : {}) as Record<string, unknown>;
  return typeof architecture === 'string' && ARCHITECTURES.includes(architecture);
}

async function filesOf(repo: string, memory: number | undefined, signal: AbortSignal, fetchJson: Fetch): Promise<HubModel> {
  const listed = listOf(await fetchJson(`${HUB}/api/models/${repo}/tree/main?recursive=true`, signal));
  const sizes = new Map<string, number>();
  for (const { type, path, size } of listed) {
    if (type !== 'file' || typeof path !== 'string' || !/\.gguf$/i.test(path) || !Number.isSafeInteger(size) || (size as number) <= 0) continue;
    // The parts of a set are one file, which its first part opens.
    const [, set, part] = /^(.*)-(\d{5})-of-\d{5}\.gguf$/i.exec(path) ?? [];
    const first = set === undefined ? path : path.replace(/-\d{5}(-of-\d{5}\.gguf)$/i, '-00001$1');
    if (part === undefined || listed.some((each) => each.path === first)) sizes.set(first, (sizes.get(first) ?? 0) + (size as number));
  }
  const files = [...sizes].slice(0, MOST_FILES).map(([path, bytes]) => ({
    address: `${HUB}/${repo}/resolve/main/${path.split('/').map(encodeURIComponent).join('/')}`,
    name: path.split('/').at(-1) ?? path, bytes, tooLarge: memory !== undefined && bytes * LEAST_MEMORY > memory,
  }));
  return { repo, page: `${HUB}/${repo}`, files: files.sort((a, b) => a.bytes - b.bytes) };
}

function listOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter((each): each is Record<string, unknown> => typeof each === 'object' && each !== null) : [];
}

async function fetched(url: string, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(url, { signal, credentials: 'omit', referrerPolicy: 'no-referrer' });
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  return response.json();
}
