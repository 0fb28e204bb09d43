/** A manifest: the parts of a model with their lengths and the SHA-256 of every chunk. `scripts/make-manifest` writes it. */
import { failure } from '../base/failure.ts';
import type { DownloadLimits } from './download-job.ts';
import type { Environment } from './environment.ts';
import { fetchJson } from './listing.ts';
import { CHUNK_BYTES, DIGEST_BYTES, type PartPlan } from './model-record.ts';
import { MAX_PARTS } from './model-source.ts';

interface ManifestPart {
  /** Address, relative to the manifest's own. */
  file: string;
  length: number;
  sha256: string;
  chunks: string[];
}

interface Manifest {
  format: 'web-mamba-manifest';
  version: 1;
  name: string;
  chunkBytes: number;
  parts: ManifestPart[];
}

export async function manifestParts(
  env: Environment,
  limits: DownloadLimits,
  url: string,
  signal: AbortSignal,
  chunkBytes = CHUNK_BYTES,
): Promise<{ name: string; parts: PartPlan[] }> {
  const { body } = await fetchJson(env, limits, url, signal);
  const wrong = (detail: string) => failure('manifest', { url }, detail);
  const manifest = body as Partial<Manifest> | null;
  if (manifest?.format !== 'web-mamba-manifest' || manifest.version !== 1) throw wrong('format or version');
  if (manifest.chunkBytes !== chunkBytes) throw wrong(`chunks of ${manifest.chunkBytes} bytes, not ${chunkBytes}`);
  if (typeof manifest.name !== 'string' || !Array.isArray(manifest.parts) || manifest.parts.length === 0 || manifest.parts.length > MAX_PARTS) throw wrong('name or parts');
  const parts = manifest.parts.map((part: Partial<ManifestPart> | null): PartPlan => {
    const { file, length, sha256, chunks } = part ?? {};
    if (typeof file !== 'string' || !URL.canParse(file, url)) throw wrong('the name of a part');
    if (typeof length !== 'number' || !Number.isSafeInteger(length) || length <= 0) throw wrong(`the length of ${file}`);
    if (!isSha256(sha256)) throw wrong(`the SHA-256 of ${file}`);
    if (!Array.isArray(chunks) || chunks.length !== Math.ceil(length / chunkBytes) || !chunks.every(isSha256)) throw wrong(`the chunks of ${file}`);
    const address = new URL(file, url);
    // The rule for typed addresses holds here too: what a manifest names is fetched by the visitor's browser.
    const own = address.protocol === 'http:' && address.origin === new URL(url).origin;
    if ((address.protocol !== 'https:' && !own) || address.username || address.password) throw wrong(`the address of ${file}`);
    return { name: address.pathname.split('/').pop() ?? file, url: address.href, length, sha256, chunks: digestsOf(chunks) };
  });
  if (new Set(parts.map((part) => part.url)).size < parts.length) throw wrong('one part twice');
  return { name: manifest.name, parts };
}

function isSha256(text: unknown): text is string {
  return typeof text === 'string' && /^[0-9a-f]{64}$/.test(text);
}

function digestsOf(chunks: string[]): Uint8Array {
  const bytes = new Uint8Array(chunks.length * DIGEST_BYTES);
  chunks.forEach((hex, index) => {
    for (let at = 0; at < DIGEST_BYTES; at += 1) bytes[index * DIGEST_BYTES + at] = parseInt(hex.slice(2 * at, 2 * at + 2), 16);
  });
  return bytes;
}
