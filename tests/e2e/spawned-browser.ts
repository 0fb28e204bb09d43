/** A Chromium that the test starts itself, so that it can be killed as a crash or a power cut would. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chromium, type Browser, type Page } from 'playwright-core';
import { ROOT } from './folders';

const FLAGS = [
  '--headless', '--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--remote-debugging-port=0',
];
const NO_GPU = ['--disable-features=WebGPU'];
const SOFTWARE_GPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

export class SpawnedBrowser {
  private constructor(
    private readonly process: ChildProcess,
    private readonly browser: Browser,
  ) {}

  static async start(profile: string, webgpu = false): Promise<SpawnedBrowser> {
    const binary = execFileSync('bash', ['-c', '. scripts/env && find_browser'], { cwd: ROOT, encoding: 'utf8' }).trim();
    // A group of its own, so that killing it reaches the children that it started and nothing else.
    const process = spawn(binary, [...FLAGS, ...(webgpu ? SOFTWARE_GPU : NO_GPU), `--user-data-dir=${profile}`, 'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    const address = await new Promise<string>((resolve, reject) => {
      let said = '';
      process.stderr?.on('data', (piece: Buffer) => {
        said += piece.toString();
        const [, url] = /DevTools listening on (ws:\S+)/.exec(said) ?? [];
        if (url) resolve(url);
      });
      process.once('exit', (code) => reject(new Error(`the browser ended with ${code}: ${said}`)));
      setTimeout(() => reject(new Error(`the browser did not start: ${said}`)), 60_000).unref();
    });
    return new SpawnedBrowser(process, await chromium.connectOverCDP(address));
  }

  async page(url: string): Promise<Page> {
    const context = this.browser.contexts()[0];
    if (!context) throw new Error('no context');
    const page = await context.newPage();
    await page.goto(url);
    return page;
  }

  /** Processes that run pages. */
  async renderers(): Promise<number[]> {
    const devtools = await this.browser.newBrowserCDPSession();
    const { processInfo } = await devtools.send('SystemInfo.getProcessInfo');
    return processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
  }

  /** SIGKILL: nothing is flushed, nothing is said. */
  async kill(): Promise<void> {
    const { pid } = this.process;
    if (pid === undefined) return;
    const gone = once(this.process, 'exit');
    process.kill(-pid, 'SIGKILL');
    await gone;
  }
}
