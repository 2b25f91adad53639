/** A wire between two processes that can be cut, frozen and mended, and that notes what passes on it. */

import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { Listener, type Said } from './listener';

export class Wire {
  /** The control messages of all relay sockets so far, in order of their ends. */
  readonly said: Said[] = [];
  private readonly sockets = new Set<Socket>();
  /** Sockets that stand and lead nowhere. */
  private readonly dead = new WeakSet<Socket>();
  private isCut = false;
  private target = 0;

  private constructor(private readonly server: Server) {}

  /** Listens; until `to` has been called it lets nobody through. */
  static async open(): Promise<Wire> {
    const server = createServer();
    const wire = new Wire(server);
    server.on('connection', (socket) => wire.pass(socket));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return wire;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`;
  }

  to(url: string): void {
    this.target = Number(new URL(url).port);
  }

  /** All that stands breaks, and nothing new comes through. */
  cut(): void {
    this.isCut = true;
    this.sockets.forEach((socket) => socket.destroy());
  }

  mend(): void {
    this.isCut = false;
  }

  /** What stands goes on standing and carries nothing more; new sockets pass. */
  freeze(): void {
    this.sockets.forEach((socket) => this.dead.add(socket));
  }

  /** How often the page's end said it. */
  count(body: Said['body']): number {
    return this.said.filter((one) => one.body === body).length;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((done) => this.server.close(done));
  }

  private pass(near: Socket): void {
    if (this.isCut || this.target === 0) return void near.destroy();
    const far = connect(this.target, '127.0.0.1');
    this.carry(near, far);
    this.carry(far, near);
  }

  private carry(from: Socket, to: Socket): void {
    const listener = new Listener((said) => this.said.push(said));
    this.sockets.add(from);
    from.on('data', (chunk) => {
      if (this.dead.has(from)) return;
      listener.hear(chunk);
      if (!to.write(chunk)) from.pause();
    });
    to.on('drain', () => from.resume());
    from.on('end', () => this.dead.has(from) || to.end());
    from.on('error', () => this.dead.has(from) || to.destroy());
    from.on('close', () => {
      this.sockets.delete(from);
      if (!this.dead.has(from)) to.destroy();
    });
  }
}
