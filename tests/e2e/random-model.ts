/** Models of a real shape with random weights, made by the native tool: `WEB_MAMBA_TOOL`, or this tree's own. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT } from './folders';

export function randomModel(shape: string, type: string): Buffer {
  const folder = mkdtempSync(path.join(tmpdir(), 'web-mamba-e2e-'));
  const file = path.join(folder, 'model.gguf');
  const [tool, ...before] = process.env.WEB_MAMBA_TOOL
    ? [process.env.WEB_MAMBA_TOOL]
    : ['cargo', 'run', '-q', '-p', 'web-mamba', '--features', 'cli', '--bin', 'web-mamba', '--'];
  try {
    execFileSync(tool as string, [...before, 'make-random', file, '--shape', shape, '--type', type], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
    return readFileSync(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
