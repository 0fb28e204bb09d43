/** Runs the project's scripts as a person would, and ends them with all that they started. */
import { spawn } from 'node:child_process';
import path from 'node:path';

export const ROOT = path.join(import.meta.dirname, '../..');

/** Starts a script in a process group of its own; what it prints is gathered, both streams in one text. */
function start(script, { args = [], cwd = ROOT, env = {} } = {}) {
  const child = spawn('bash', [path.join(cwd, 'scripts', script), ...args], {
    cwd, detached: true, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'],
  });
  const run = { child, output: '' };
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (run.output += text));
  run.ended = new Promise((resolve) => child.on('close', (code) => resolve(code ?? 1)));
  return run;
}

function end({ child }) {
  try {
    process.kill(-child.pid, 'SIGTERM');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Runs a script to its end: its exit code, what it printed, and seconds. */
export async function runScript(script, options) {
  const began = performance.now();
  const run = start(script, options);
  const code = await run.ended;
  return { code, output: run.output, seconds: (performance.now() - began) / 1000 };
}

/** Runs `scripts/demo` until it prints its address, hands that to `visit`, and ends it. */
export async function runDemo(visit, options = {}) {
  const began = performance.now();
  const run = start('demo', { ...options, args: ['--port', '0'] });
  try {
    const address = await Promise.race([addressOf(run), run.ended.then(() => Promise.reject(new Error(`scripts/demo ended:\n${run.output}`)))]);
    const seconds = (performance.now() - began) / 1000;
    await visit(address);
    return { output: run.output, seconds };
  } finally {
    end(run);
    await run.ended;
  }
}

async function addressOf(run) {
  for (;;) {
    const [address] = /^http:\/\/127\.0\.0\.1:\d+\/$/m.exec(run.output) ?? [];
    if (address) return address;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
