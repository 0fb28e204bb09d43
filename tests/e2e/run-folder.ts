/** A folder of the run's own for temporary files: killed browsers leave their profiles behind, and it goes with all of them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export default (): (() => void) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'web-mamba-e2e-'));
  // Browsers, and what drives them, look here too; the processes that run the tests inherit it.
  process.env.TMPDIR = folder;
  // A browser that was just killed may still be writing.
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
};
