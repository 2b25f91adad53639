/**
 * Reads along one direction of a WebSocket of the relay (RFC 6455, section 5.2) and tells the control
 * messages in it: kind 1, then the field number of a protobuf `Control` (docs/protocol.md, section 6).
 */

const BODIES = {
  1: 'open', 3: 'opened', 4: 'refused', 5: 'renew', 6: 'renewed', 7: 'close', 10: 'goodbye',
} as const;

export interface Said { body: (typeof BODIES)[keyof typeof BODIES]; at: number }

const HEAD_END = '\r\n\r\n';
const BINARY = 2;

export class Listener {
  private pending: Buffer = Buffer.alloc(0);
  private state: 'head' | 'frames' | 'deaf' = 'head';
  /** Payload of the present frame that is still to come. */
  private left = 0;

  constructor(private readonly tell: (said: Said) => void) {}

  hear(chunk: Buffer): void {
    if (this.state === 'deaf') return;
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    if (this.state === 'head') this.readHead();
    while (this.state === 'frames' && (this.skip() || this.readFrame()));
  }

  /** Only an upgrade is followed by frames. */
  private readHead(): void {
    const end = this.pending.indexOf(HEAD_END);
    if (end < 0) return;
    const head = this.pending.subarray(0, end).toString('latin1');
    this.state = /^upgrade: websocket$/im.test(head) ? 'frames' : 'deaf';
    this.pending = this.pending.subarray(end + HEAD_END.length);
  }

  private skip(): boolean {
    const skipped = Math.min(this.left, this.pending.length);
    this.left -= skipped;
    this.pending = this.pending.subarray(skipped);
    return skipped > 0;
  }

  /** True if there may be more behind it. */
  private readFrame(): boolean {
    const { pending } = this;
    if (this.left > 0 || pending.length < 2) return false;
    const [opcode, short, isMasked] = [pending[0]! & 15, pending[1]! & 127, pending[1]! > 127];
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
    const bodyAt = 2 + lengthBytes + (isMasked ? 4 : 0);
    // With the first two bytes of the payload, if it has two.
    if (pending.length < bodyAt + Math.min(short, 2)) return false;
    this.left = lengthBytes === 0 ? short : lengthBytes === 2 ? pending.readUInt16BE(2) : Number(pending.readBigUInt64BE(2));
    const mask = isMasked ? pending.subarray(bodyAt - 4, bodyAt) : Buffer.alloc(4);
    const [kind, tag] = [0, 1].map((at) => (pending[bodyAt + at] ?? 0) ^ mask[at]!);
    const body = BODIES[(tag! >> 3) as keyof typeof BODIES] as Said['body'] | undefined;
    if (opcode === BINARY && kind === 1 && body && this.left > 1) this.tell({ body, at: Date.now() });
    this.pending = pending.subarray(bodyAt);
    return true;
  }
}
