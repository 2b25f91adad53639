/** A wire between the page and the Hub that can be cut and mended. */

import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';

export class Wire {
  private readonly sockets = new Set<Socket>();
  private cut_ = false;

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

  cut(): void {
    this.cut_ = true;
    this.sockets.forEach((socket) => socket.destroy());
  }

  mend(): void {
    this.cut_ = false;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((done) => this.server.close(done));
  }

  private pass(near: Socket): void {
    if (this.cut_ || this.target === 0) return void near.destroy();
    const far = connect(this.target, '127.0.0.1');
    for (const [one, other] of [[near, far], [far, near]] as const) {
      this.sockets.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.sockets.delete(one);
        other.destroy();
      });
    }
  }
}
