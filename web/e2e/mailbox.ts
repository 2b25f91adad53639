/** A mail server on loopback that takes everything and keeps it (RFC 5321, as far as a client goes). */

import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { expect } from '@playwright/test';

export class Mailbox {
  readonly mails: { to: string; text: string }[] = [];
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  static async start(): Promise<Mailbox> {
    const server = createServer();
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    const box = new Mailbox(server);
    server.on('connection', (socket) => box.serve(socket));
    return box;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.sockets.forEach((socket) => socket.destroy());
    await new Promise((done) => this.server.close(done));
  }

  /** The first link in the newest mail to this address, once one has come. */
  async link(to: string, number = 1): Promise<string> {
    const its = () => this.mails.filter((mail) => mail.to === to);
    await expect.poll(() => its().length, { timeout: 30_000 }).toBeGreaterThanOrEqual(number);
    const link = /https?:\/\/\S+#\S+/.exec(its().at(-1)?.text ?? '')?.[0];
    if (link === undefined) throw new Error('a mail without a link');
    return link;
  }

  private serve(socket: Socket): void {
    this.sockets.add(socket);
    let [held, to, data] = ['', '', undefined as string | undefined];
    const say = (line: string) => socket.write(`${line}\r\n`);
    say('220 here');
    socket.on('error', () => undefined);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      held += chunk.toString();
      for (let end = held.indexOf('\r\n'); end >= 0; end = held.indexOf('\r\n')) {
        const line = held.slice(0, end);
        held = held.slice(end + 2);
        if (data !== undefined) {
          if (line !== '.') data += `${line.replace(/^\.\./, '.')}\n`;
          else {
            this.mails.push({ to, text: readable(data) });
            data = undefined;
            say('250 kept');
          }
          continue;
        }
        const verb = line.slice(0, 4).toUpperCase();
        if (verb === 'RCPT') to = /<([^>]*)>/.exec(line)?.[1] ?? '';
        if (verb === 'DATA') data = '';
        if (verb === 'QUIT') socket.end('221 bye\r\n');
        else say(verb === 'DATA' ? '354 go on' : '250 fine');
      }
    });
  }
}

/** Quoted-printable undone (RFC 2045, 6.7), where it was used. */
function readable(mail: string): string {
  if (!/^content-transfer-encoding: quoted-printable/im.test(mail)) return mail;
  return mail.replace(/=\n/g, '').replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}
