/**
 * What the page's own files are served with: the one list for `scripts/serve.mjs`, for the service worker, which adds it where the host
 * cannot, and for the `meta` that the build puts into the pages. Documents and workers go by their own headers, so each kind has its own policy.
 */

/** Nothing from other servers but model files and states: any https address for `?model=` and `?state=`, and http of this machine. */
const CONNECT = "connect-src 'self' https: http://localhost:* http://127.0.0.1:*";
const SCRIPTS = "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'";
/** A `meta` cannot say this. */
const NO_FRAMES = "frame-ancestors 'none'";

export const PAGE_POLICY = [
  "default-src 'none'", SCRIPTS, "style-src 'self'; img-src 'self'; font-src 'self'; manifest-src 'self'", CONNECT,
  "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types default lit-html",
].join('; ');

const WORKER_POLICY = ["default-src 'none'", SCRIPTS, CONNECT, NO_FRAMES].join('; ');
const FILE_POLICY = ["default-src 'none'", NO_FRAMES].join('; ');

/** What gives a page memory that its workers share; without them it gets by on messages. */
export const ISOLATION = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'credentialless',
  'cross-origin-resource-policy': 'same-origin',
};

/** For every answer, whatever its status. */
export function responseHeaders(contentType) {
  const kind = contentType ?? '';
  const policy = /html/.test(kind) ? `${PAGE_POLICY}; ${NO_FRAMES}` : /javascript/.test(kind) ? WORKER_POLICY : FILE_POLICY;
  return { 'content-security-policy': policy, 'referrer-policy': 'no-referrer', 'x-content-type-options': 'nosniff' };
}
