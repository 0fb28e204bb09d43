/** Fresh projects with the packed package in them, all below one folder into which it and its tools are installed once. */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './folders';
import { Site } from './site';

export const ENGINE = path.join(ROOT, 'web/engine');
export const MODEL = 'web-mamba-demo-31m-v2-q4_k_m.gguf';
/** Where README, documents and examples have a model, and the package's own files. */
export const EXAMPLE_MODEL = 'https://example.org/models/model.gguf';
export const CDN = /https:\/\/cdn\.jsdelivr\.net\/npm\/web-mamba@[\d.]+\//g;

export const run = promisify(execFile);

/** The version of a package that the page itself is built with. */
export const pinned = (name: string) => `${name}@${(createRequire(path.join(ROOT, 'web/package.json'))(`${name}/package.json`) as { version: string }).version}`;

/** A server whose files every page may read, as those of models and packages are. */
class OpenSite extends Site {
  protected override serve(...[request, response]: Parameters<Site['serve']>): void {
    response.setHeader('access-control-allow-origin', '*');
    super.serve(request, response);
  }
}

export class PackageProjects {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'web-mamba-package-'));
  /** Of another origin than every project's page. */
  readonly models = new OpenSite(path.join(ROOT, 'web/public/models'), { bare: true });
  /** The installed package, as a CDN gives its files. */
  readonly cdn = new OpenSite(path.join(this.folder, 'node_modules/web-mamba'), { bare: true });
  tarball = '';

  /** Packs the package and installs it beside `tools`. */
  async start(tools: readonly string[]): Promise<void> {
    const { stdout } = await run('npm', ['pack', '--loglevel=error', '--foreground-scripts=false', '--pack-destination', this.folder], { cwd: ENGINE });
    this.tarball = path.join(this.folder, stdout.trim().split('\n').at(-1) ?? '');
    writeFileSync(path.join(this.folder, 'package.json'), JSON.stringify({ name: 'projects', private: true, type: 'module' }));
    await this.install([this.tarball, ...tools]);
    await Promise.all([this.models.start(), this.cdn.start()]);
  }

  async install(packages: readonly string[]): Promise<void> {
    await run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline', ...packages], { cwd: this.folder });
  }

  /** A copy of a folder of the project, with the addresses of these servers in its files. */
  add(source: string, name = path.basename(source)): string {
    const project = path.join(this.folder, name);
    cpSync(path.join(ROOT, source), project, { recursive: true });
    for (const file of readdirSync(project, { recursive: true, withFileTypes: true })) {
      if (file.isFile()) this.write(path.join(file.parentPath, file.name), readFileSync(path.join(file.parentPath, file.name), 'utf8'));
    }
    return project;
  }

  /** Writes a file of a project, with the addresses of these servers in place of those of the examples. */
  write(file: string, text: string): void {
    writeFileSync(file, text.replaceAll(EXAMPLE_MODEL, `${this.models.url}${MODEL}`).replace(CDN, this.cdn.url));
  }

  async build(project: string): Promise<void> {
    await run('npm', ['run', 'build', '--silent'], { cwd: project, env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1' } });
  }

  async stop(): Promise<void> {
    await Promise.all([this.models.stop(), this.cdn.stop()]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
