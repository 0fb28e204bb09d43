/** Why a browser did not run the engine's script: it says so of a policy in an event of its own, and of all else nothing. */
import { assets, isForeign } from '../base/assets.ts';
import { failure, MambaError } from '../base/failure.ts';

/** The rules of a page that scripts and workers go by; `default-src` is reported as the one that it stands for. */
const RULES: ReadonlySet<string> = new Set(['worker-src', 'child-src', 'script-src', 'script-src-elem', 'require-trusted-types-for', 'trusted-types']);
/** An event that belongs to a worker comes with its end, and not long before. */
const RECENT_MILLISECONDS = 5000;

let last: { rule: string; at: number } | undefined;
let isListening = false;

/** Begins to note what the page's policy forbids. */
export function watchRefusals(): void {
  if (isListening) return;
  isListening = true;
  globalThis.addEventListener?.('securitypolicyviolation', (event) => {
    const { effectiveDirective: rule, disposition } = event as SecurityPolicyViolationEvent;
    if (disposition === 'enforce' && RULES.has(rule)) last = { rule, at: performance.now() };
  });
}

/** The failure of a worker whose script did not run. */
export function startFailure(detail: string): MambaError {
  if (last && performance.now() - last.at < RECENT_MILLISECONDS) return failure('engine-blocked', { rule: last.rule }, detail);
  const folder = assets();
  if (folder !== undefined && detail === '') return failure('engine-unreachable', { address: folder }, detail);
  return failure('engine-start', {}, detail);
}

/** The failure of a worker that the browser would not even make: by a policy, or because its script is another origin's. */
export function refusal(thrown: unknown): MambaError {
  const { name = '', message = '' } = (thrown ?? {}) as Partial<Error>;
  const folder = assets();
  const rule = name === 'TypeError' ? 'require-trusted-types-for' : folder === undefined || isForeign(folder) ? 'worker-src, same origin' : 'worker-src';
  return failure('engine-blocked', { rule }, `${name}: ${message}`);
}
