/**
 * One page's hold on one terminal of a Worker, across lost connections.
 *
 * Keeps the sequence number of what is on the screen, so that a new attachment gets only newer
 * bytes; keeps a bounded amount of typed text while there is no connection. Knows no xterm and no
 * DOM: a `Screen` shows, a `Port` opens streams.
 */

import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import {
  TerminalAttachSchema,
  TerminalEventSchema,
  TerminalInputSchema,
  type TerminalEvent,
  type TerminalSummary,
} from '../gen/leapmux/v1/services_pb';
import type { ChannelStream, StreamCallbacks } from '../channel/handle';

export interface Size {
  columns: number;
  rows: number;
}

/** Where output goes. A returned promise holds back further credit until it resolves. */
export interface Screen {
  snapshot(size: Size, data: Uint8Array): Promise<void>;
  output(data: Uint8Array): Promise<void>;
  summary(summary: TerminalSummary): void;
  /** `held`: there is no stream and typed text is kept back. `refused`: the Worker does not allow one. */
  changed(state: 'attaching' | 'live' | 'held' | 'refused'): void;
  /** More was typed without a connection than is kept: from here on it is dropped. Once per loss. */
  dropped(): void;
  /** The Worker lets this page look and not type; what was typed is gone. */
  muted(): void;
}

export interface Port {
  stream(method: string, payload: Uint8Array, callbacks: StreamCallbacks): ChannelStream;
  /** Calls back when the next attempt is due; only used while the channel itself is usable. */
  later(run: () => void): void;
  usable(): boolean;
}

/** Typed text kept while detached, in bytes; what goes beyond is dropped, and all that follows it. */
const MAX_KEPT_INPUT = 4096;
/**
 * Codes after which another attempt is pointless: a request that is wrong, a terminal that is gone,
 * what is not allowed, and what the Worker does not know how to do.
 */
const FINAL_CODES = new Set([3, 5, 7, 9, 12]);
const DENIED = 7;
/** A stream message is at most 256 KiB; pasted text goes in pieces well below. */
const INPUT_PIECE = 32 * 1024;
/** A snapshot shorter than the least room for a message has come in one piece. */
const MAYBE_MORE = 48 * 1024;

export class Attachment {
  private stream: ChannelStream | undefined;
  private sequence = 0n;
  /** False while a snapshot may still be missing its end. */
  private whole = true;
  private size: Size = { columns: 0, rows: 0 };
  /**
   * True while the Worker tells an older screen than the one that is shown: it was ended before
   * it could keep the newest, and the page's own is the last one that there is.
   */
  private stale = false;
  private kept: Uint8Array[] = [];
  private keptBytes = 0;
  /** Something was dropped: what follows would be a command with a hole in it. */
  private full = false;
  private over = false;
  /** Something was typed into this stream: if it is denied, that was it, and not the view. */
  private spoke = false;
  /** The Worker wants nothing typed, whatever the Hub says of the role. */
  private mute = false;

  constructor(
    private readonly terminalId: string,
    private readonly port: Port,
    private readonly screen: Screen,
  ) {}

  /** Attaches, or attaches again after a loss. A stream that still stands goes on. */
  connect(size: Size): void {
    // The role may be another one by now.
    this.mute = false;
    this.open(size);
  }

  private open(size: Size): void {
    if (this.stream && !this.over) return this.goOn(size);
    this.size = size;
    this.spoke = false;
    if (this.over) return;
    if (!this.port.usable()) return this.screen.changed('held');
    this.screen.changed('attaching');
    this.stale = false;
    const attach = create(TerminalAttachSchema, {
      terminalId: this.terminalId,
      afterSequence: this.whole ? this.sequence : 0n,
      ...size,
    });
    const stream = this.port.stream('terminal.attach', toBinary(TerminalAttachSchema, attach), {
      onData: (data) => this.receive(stream, data),
      onEnd: (error) => this.ended(stream, error?.code),
    });
    this.stream = stream;
  }

  type(data: Uint8Array): void {
    if (this.mute) return this.screen.muted();
    // A stream may stand without a path, and end when none comes back: nothing is given to it then.
    // What was kept goes first, once the stream has spoken.
    if (!this.stream || !this.port.usable() || this.kept.length > 0 || this.full) return this.keep(data);
    this.spoke ||= data.length > 0;
    for (let at = 0; at < data.length; at += INPUT_PIECE) {
      this.send({ case: 'data', value: data.subarray(at, at + INPUT_PIECE) });
    }
  }

  resize(size: Size): void {
    this.size = size;
    if (this.stream) {
      this.send({ case: 'resize', value: size });
    }
  }

  /** Lets go for good. The terminal lives on at the Worker. */
  dispose(): void {
    this.over = true;
    this.stream?.cancel();
    this.stream = undefined;
  }

  private async receive(stream: ChannelStream | undefined, data: Uint8Array): Promise<void> {
    if (stream !== this.stream) return;
    const event: TerminalEvent = fromBinary(TerminalEventSchema, data);
    switch (event.body.case) {
      case 'snapshot': {
        const { sequence, columns, rows, data: screen } = event.body.value;
        this.stale = this.whole && sequence < this.sequence;
        if (this.stale) return this.live();
        this.sequence = sequence;
        this.whole = screen.length < MAYBE_MORE;
        this.live();
        return this.screen.snapshot({ columns, rows }, screen);
      }
      case 'output':
        this.live();
        if (this.stale) return;
        this.count(event.body.value.sequence);
        return this.screen.output(event.body.value.data);
      case 'summary':
        this.live();
        return this.screen.summary(event.body.value);
      case undefined:
        return;
    }
  }

  /** A long snapshot goes on as output that does not pass its sequence; only then is it whole. */
  private count(sequence: bigint): void {
    this.whole = sequence >= this.sequence;
    if (this.whole) this.sequence = sequence;
  }

  private goOn(size: Size): void {
    if (size.columns !== this.size.columns || size.rows !== this.size.rows) this.resize(size);
    this.flush();
  }

  private live(): void {
    this.screen.changed('live');
    this.flush();
  }

  private flush(): void {
    if (!this.port.usable()) return;
    const kept = this.kept;
    this.kept = [];
    this.keptBytes = 0;
    this.full = false;
    for (const data of kept) this.type(data);
  }

  private ended(stream: ChannelStream | undefined, code: number | undefined): void {
    if (stream !== this.stream || this.over) return;
    this.stream = undefined;
    if (code === DENIED && this.spoke) return this.lookOn();
    this.screen.changed(code === DENIED ? 'refused' : 'held');
    // Without an error the terminal itself is gone.
    if (code === undefined || FINAL_CODES.has(code)) return;
    if (this.port.usable()) this.port.later(() => this.open(this.size));
  }

  /** It was what was typed that was denied: without it the view may stand. */
  private lookOn(): void {
    this.mute = true;
    this.kept = [];
    this.keptBytes = 0;
    this.screen.muted();
    this.open(this.size);
  }

  private keep(data: Uint8Array): void {
    if (this.full) return;
    if (this.keptBytes + data.length > MAX_KEPT_INPUT) {
      this.full = true;
      return this.screen.dropped();
    }
    this.kept.push(data);
    this.keptBytes += data.length;
  }

  private send(body: NonNullable<MessageInitShape<typeof TerminalInputSchema>['body']>): void {
    this.stream?.send(toBinary(TerminalInputSchema, create(TerminalInputSchema, { body })));
  }
}
