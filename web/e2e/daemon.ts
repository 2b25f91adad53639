/** One process of the real binary. */

import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const BINARY = resolve(process.env['LEAPMUX_BIN'] ?? '../target/debug/leapmux');
const READY_WITHIN_MS = 30_000;
const STOPS_WITHIN_MS = 15_000;

type Environment = Record<string, string | undefined>;

export class Daemon {
  private said = '';

  private constructor(private readonly child: ChildProcess) {
    const hear = (chunk: Buffer) => {
      this.said = (this.said + chunk.toString()).slice(-64 * 1024);
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    // LEAPMUX_E2E_LOG: all that every process says, in one file, to find out why something failed.
    const log = process.env['LEAPMUX_E2E_LOG'];
    if (log === undefined) return;
    const file = createWriteStream(log, { flags: 'a' });
    child.stdout?.pipe(file, { end: false });
    child.stderr?.pipe(file, { end: false });
  }

  /** Starts and waits for nothing. */
  static launch(args: string[], env: Environment): Daemon {
    return new Daemon(spawn(BINARY, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  /** Runs a line as a person would paste it: in a shell that finds `leapmux` in `bin`. */
  static async paste(line: string, home: string): Promise<Daemon> {
    const bin = join(home, 'bin');
    await mkdir(bin, { recursive: true });
    await symlink(BINARY, join(bin, 'leapmux')).catch(() => undefined);
    const env = { ...process.env, HOME: home, SHELL: '/bin/bash', LANG: 'C.UTF-8', PATH: `${bin}:${process.env['PATH'] ?? ''}` };
    return new Daemon(spawn('/bin/bash', ['-c', `exec ${line}`], { env, stdio: ['ignore', 'pipe', 'pipe'], cwd: home }));
  }

  /** The code with which it ended, and what it said. */
  async ended(): Promise<{ code: number | null; said: string }> {
    const { child } = this;
    if (child.exitCode === null && child.signalCode === null) await new Promise<void>((done) => child.once('close', () => done()));
    return { code: child.exitCode, said: this.said };
  }

  /** What a match of `line` among its lines captured. */
  hears(line: RegExp): Promise<string> {
    const { child } = this;
    return new Promise((done, fail) => {
      const over = (why: string) => {
        child.off('exit', ended);
        clearTimeout(timer);
        fail(new Error(`${why}:\n${this.said}`));
      };
      const ended = (code: number | null) => over(`ended with ${code} before it was ready`);
      const timer = setTimeout(() => over('not ready in time'), READY_WITHIN_MS);
      const look = () => {
        const found = line.exec(this.said)?.[1];
        if (found === undefined) return;
        child.stdout?.off('data', look);
        child.off('exit', ended);
        clearTimeout(timer);
        done(found);
      };
      child.stdout?.on('data', look);
      child.once('exit', ended);
      look();
    });
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const { child } = this;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((done) => child.once('exit', () => done()));
    child.kill(signal);
    const late = setTimeout(() => child.kill('SIGKILL'), STOPS_WITHIN_MS);
    await gone;
    clearTimeout(late);
  }

  /** Runs a command to its end; what it printed. */
  static async run(args: string[], env: Environment, input = ''): Promise<string> {
    const child = spawn(BINARY, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.stdin.end(input);
    const late = setTimeout(() => child.kill('SIGKILL'), READY_WITHIN_MS);
    const code = await new Promise((done) => child.once('close', done));
    clearTimeout(late);
    if (code !== 0) throw new Error(`leapmux ${args[0]} ended with ${String(code)}:\n${err}`);
    return out;
  }
}
