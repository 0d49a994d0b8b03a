// A kenami of one's own: the optimised binary on a fresh data folder and a free port.
import { ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const BINARY = process.env.KENAMI_BINARY ?? resolve(__dirname, '../../target/release/kenami');

export interface Options {
  /** Start without the demo project. */
  empty?: boolean;
}

export class Kenami {
  private process?: ChildProcess;
  private output = '';
  private log = '';

  private constructor(
    readonly dataDir: string,
    readonly port: number,
    private readonly options: Options,
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Makes a data folder and starts a server on it. */
  static async start(options: Options = {}): Promise<Kenami> {
    const dataDir = await mkdtemp(join(tmpdir(), 'kenami-e2e-'));
    // PostgreSQL runs as another user where kenami is root: that user must reach its part of the folder.
    await promisify(execFile)('chmod', ['755', dataDir]);
    const kenami = new Kenami(dataDir, await freePort(), options);
    await kenami.run();
    return kenami;
  }

  /** Starts the server again after `stop` or `kill`. */
  async run(): Promise<void> {
    this.output = '';
    const args = ['serve', '--listen', `127.0.0.1:${this.port}`, '--data-dir', this.dataDir];
    if (this.options.empty) args.push('--empty');
    const env = { ...process.env };
    delete env.DATABASE_URL;
    const child = spawn(BINARY, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout!.on('data', (chunk) => (this.output += chunk));
    child.stderr!.on('data', (chunk) => (this.log += chunk));
    this.process = child;
    await this.until('the server to answer', async () => (await fetch(`${this.url}/healthz`)).ok, 60_000);
  }

  /** The one-time link of the first administrator, as printed on standard output. */
  async firstAdministratorLink(): Promise<string> {
    let link: string | undefined;
    await this.until('the sign-in link', async () => !!(link = /https?:\/\/\S+\/join\/\S+/.exec(this.output)?.[0]), 10_000);
    return link!;
  }

  /** Waits until the demo project, which is loaded behind the first start, is there. */
  async demoLoaded(): Promise<void> {
    await this.until('the demo project', async () => this.log.includes('the demo project is loaded'), 120_000);
  }

  /** Runs a kenami command on this server's data folder. */
  async cli(...args: string[]): Promise<string> {
    const env = { ...process.env, KENAMI_DATA_DIR: this.dataDir };
    delete env.DATABASE_URL;
    const { stdout } = await promisify(execFile)(BINARY, args, { env, maxBuffer: 64 << 20 });
    return stdout;
  }

  /** Asks the server to end and waits for it. */
  async stop(): Promise<void> {
    await this.end('SIGTERM');
  }

  /** Ends the server without a warning. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** Sends a signal to every process of this server's own PostgreSQL. */
  async signalDatabase(signal: NodeJS.Signals): Promise<void> {
    const file = await readFile(join(this.dataDir, 'postgres', 'data', 'postmaster.pid'), 'utf8');
    const postmaster = file.split('\n')[0];
    const { stdout } = await promisify(execFile)('ps', ['-o', 'pid=', '--ppid', postmaster]);
    for (const pid of [postmaster, ...stdout.trim().split(/\s+/)]) process.kill(Number(pid), signal);
  }

  /** Ends everything and removes the data folder. */
  async dispose(): Promise<void> {
    await this.stop();
    await rm(this.dataDir, { recursive: true, force: true });
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill(signal);
    await ended;
  }

  private async until(what: string, condition: () => Promise<boolean>, milliseconds: number): Promise<void> {
    const deadline = Date.now() + milliseconds;
    for (;;) {
      if (await condition().catch(() => false)) return;
      const gone = this.process?.exitCode ?? this.process?.signalCode;
      if (gone !== null && gone !== undefined) throw new Error(`kenami ended (${gone}) while waiting for ${what}:\n${this.log}`);
      if (Date.now() > deadline) throw new Error(`waited ${milliseconds} ms for ${what}:\n${this.log}`);
      await new Promise((next) => setTimeout(next, 50));
    }
  }
}

async function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (typeof address === 'object' && address ? done(address.port) : fail(new Error('no port'))));
    });
  });
}
