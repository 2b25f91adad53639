import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import type { ChannelStream, StreamCallbacks } from '../../src/channel/handle';
import {
  TerminalAttachSchema, TerminalEventSchema, TerminalInputSchema, type TerminalAttach, type TerminalEvent,
} from '../../src/gen/leapmux/v1/services_pb';
import { Attachment, type Port, type Screen } from '../../src/terminal/attachment';

const SIZE = { columns: 80, rows: 24 };
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);

/** One terminal whose Worker the test plays. */
function rig() {
  const attaches: TerminalAttach[] = [];
  const streams: StreamCallbacks[] = [];
  const sent: string[] = [];
  const shown: string[] = [];
  const states: string[] = [];
  const later: (() => void)[] = [];
  let usable = true;
  const port: Port = {
    usable: () => usable,
    later: (run) => void later.push(run),
    stream: (_method, payload, callbacks): ChannelStream => {
      attaches.push(fromBinary(TerminalAttachSchema, payload));
      streams.push(callbacks);
      return {
        send: (data) => {
          const { body } = fromBinary(TerminalInputSchema, data);
          sent.push(body.case === 'data' ? text(body.value) : `${body.value?.columns}x${body.value?.rows}`);
        },
        end: () => undefined,
        cancel: () => sent.push('cancel'),
      };
    },
  };
  const screen: Screen = {
    snapshot: async (size, data) => void shown.push(`[${size.columns}x${size.rows}]${text(data)}`),
    output: async (data) => void shown.push(text(data)),
    summary: () => undefined,
    changed: (state) => void states.push(state),
    dropped: () => void states.push('dropped'),
    muted: () => void states.push('muted'),
  };
  const attachment = new Attachment('t1', port, screen);
  const tell = (body: TerminalEvent['body'], on = streams.length - 1) =>
    streams[on]?.onData(toBinary(TerminalEventSchema, create(TerminalEventSchema, { body })));
  const snapshot = (sequence: bigint, data: string) =>
    tell({ case: 'snapshot', value: create(TerminalEventSchema, { body: { case: 'snapshot', value: { sequence, ...SIZE, data: bytes(data) } } }).body.value as never });
  const output = (sequence: bigint, data: string, on?: number) =>
    tell({ case: 'output', value: create(TerminalEventSchema, { body: { case: 'output', value: { sequence, data: bytes(data) } } }).body.value as never }, on);
  return { attachment, attaches, streams, sent, shown, states, later, snapshot, output, setUsable: (value: boolean) => { usable = value; } };
}

describe('an attachment', () => {
  it('to a Worker that lets one look and not type keeps the view and types no more, until it is connected anew', async () => {
    const { attachment, attaches, sent, shown, states, streams, snapshot } = rig();
    const denied = { code: 7, message: 'you may look at this terminal and not type' };
    attachment.connect(SIZE);
    await snapshot(1n, 'screen');
    attachment.type(bytes('a'));
    streams[0]?.onEnd(denied);
    expect(attaches).toHaveLength(2);
    await snapshot(2n, 'still');
    attachment.type(bytes('b'));
    expect(sent).toEqual(['a']);
    expect(shown).toEqual(['[80x24]screen', '[80x24]still']);
    expect(states).toEqual(['attaching', 'live', 'muted', 'attaching', 'live', 'muted']);
    streams[1]?.onEnd(denied);
    expect(states.at(-1)).toBe('refused');
    attachment.connect(SIZE);
    await snapshot(3n, 'again');
    attachment.type(bytes('c'));
    expect(sent).toEqual(['a', 'c']);
  });

  it('keeps what is typed while its stream stands without a path, and sends it once, whether the stream goes on or ends', async () => {
    const { attachment, sent, streams, snapshot, setUsable } = rig();
    attachment.connect(SIZE);
    await snapshot(1n, 'screen');
    setUsable(false);
    attachment.type(bytes('a'));
    expect(sent).toEqual([]);
    setUsable(true);
    attachment.connect(SIZE);
    attachment.type(bytes('b'));
    expect(sent).toEqual(['a', 'b']);
    setUsable(false);
    attachment.type(bytes('c'));
    streams[0]?.onEnd({ code: 14, message: 'connection lost' });
    setUsable(true);
    attachment.connect({ columns: 90, rows: 30 });
    await snapshot(2n, 'screen');
    expect(sent).toEqual(['a', 'b', 'c']);
    expect(streams).toHaveLength(2);
  });

  it('tells a standing stream of a size that changed meanwhile', async () => {
    const { attachment, sent, snapshot } = rig();
    attachment.connect(SIZE);
    await snapshot(1n, 'screen');
    attachment.connect({ columns: 90, rows: 30 });
    attachment.connect({ columns: 90, rows: 30 });
    expect(sent).toEqual(['90x30']);
  });

  it('asks for everything first and after a loss only for what is newer', async () => {
    const { attachment, attaches, streams, shown, snapshot, output } = rig();
    attachment.connect(SIZE);
    await snapshot(100n, 'screen');
    await output(105n, 'hello');
    streams[0]?.onEnd({ code: 14, message: 'connection lost' });
    attachment.connect(SIZE);
    await output(107n, '!!');
    expect(attaches.map((one) => one.afterSequence)).toEqual([0n, 105n]);
    expect(shown).toEqual(['[80x24]screen', 'hello', '!!']);
  });

  it('asks for everything again when a long snapshot was cut off', async () => {
    const { attachment, attaches, streams, snapshot, output } = rig();
    attachment.connect(SIZE);
    await snapshot(500_000n, 's'.repeat(60_000));
    await output(400_000n, 'more of the snapshot');
    streams[0]?.onEnd({ code: 14, message: 'connection lost' });
    attachment.connect(SIZE);
    await snapshot(500_000n, 's'.repeat(60_000));
    await output(500_000n, 'the rest');
    streams[1]?.onEnd({ code: 14, message: 'connection lost' });
    attachment.connect(SIZE);
    expect(attaches.map((one) => one.afterSequence)).toEqual([0n, 0n, 500_000n]);
  });

  it('keeps its own screen when the Worker lost the newest one', async () => {
    const { attachment, attaches, streams, shown, snapshot, output } = rig();
    attachment.connect(SIZE);
    await snapshot(100n, 'old');
    await output(110n, 'newer');
    streams[0]?.onEnd({ code: 14, message: 'connection lost' });
    attachment.connect(SIZE);
    await snapshot(100n, 'old');
    await output(100n, 'rest of the old one');
    streams[1]?.onEnd({ code: 14, message: 'connection lost' });
    attachment.connect(SIZE);
    await output(112n, '!!');
    expect(shown).toEqual(['[80x24]old', 'newer', '!!']);
    expect(attaches.at(-1)?.afterSequence).toBe(110n);
  });

  it('keeps what is typed while detached, up to a bound, and sends it once', async () => {
    const { attachment, sent, streams, snapshot, setUsable } = rig();
    attachment.connect(SIZE);
    await snapshot(1n, '$ ');
    setUsable(false);
    streams[0]?.onEnd({ code: 14, message: 'connection lost' });
    attachment.type(bytes('ls\r'));
    attachment.type(bytes('x'.repeat(5000)));
    setUsable(true);
    attachment.connect(SIZE);
    await snapshot(1n, '$ ');
    await snapshot(1n, '$ ');
    expect(sent).toEqual(['ls\r']);
  });

  it('sends what was kept before what is typed after the return', async () => {
    const { attachment, sent, streams, snapshot } = rig();
    attachment.connect(SIZE);
    await snapshot(1n, '$ ');
    streams[0]?.onEnd({ code: 14, message: 'connection lost' });
    attachment.type(bytes('rm -r '));
    attachment.connect(SIZE);
    attachment.type(bytes('build\r'));
    expect(sent).toEqual([]);
    await snapshot(1n, '$ ');
    attachment.type(bytes('ls\r'));
    expect(sent).toEqual(['rm -r ', 'build\r', 'ls\r']);
  });

  it('drops everything after the first piece that does not fit, and says so once', async () => {
    const { attachment, sent, states, streams, snapshot, setUsable } = rig();
    attachment.connect(SIZE);
    await snapshot(1n, '$ ');
    setUsable(false);
    streams[0]?.onEnd({ code: 14, message: 'connection lost' });
    attachment.type(bytes('rm -rf ~/'));
    attachment.type(bytes('x'.repeat(5000)));
    attachment.type(bytes('\r'));
    attachment.type(bytes('y'.repeat(5000)));
    expect(states.filter((one) => one === 'dropped')).toHaveLength(1);
    setUsable(true);
    attachment.connect(SIZE);
    attachment.type(bytes('\r'));
    await snapshot(1n, '$ ');
    expect(sent).toEqual(['rm -rf ~/']);
    attachment.type(bytes('z'));
    expect(sent).toEqual(['rm -rf ~/', 'z']);
  });

  it.each([3, 7, 9, 12])('is not tried again by itself after code %i', (code) => {
    const { attachment, later, streams } = rig();
    attachment.connect(SIZE);
    streams[0]?.onEnd({ code, message: 'no' });
    expect(later).toHaveLength(0);
  });

  it('hears nothing more from a stream that is over', async () => {
    const { attachment, shown, streams, snapshot, output } = rig();
    attachment.connect(SIZE);
    await snapshot(1n, 'a');
    streams[0]?.onEnd({ code: 14, message: 'connection lost' });
    attachment.connect(SIZE);
    await output(9n, 'late', 0);
    expect(shown).toEqual(['[80x24]a']);
  });

  it('attaches again by itself while the channel stands, but not to a terminal that is gone', () => {
    const { attachment, attaches, streams, later } = rig();
    attachment.connect(SIZE);
    streams[0]?.onEnd({ code: 8, message: 'behind' });
    later.shift()?.();
    streams[1]?.onEnd({ code: 5, message: 'no such terminal' });
    expect(attaches.length).toBe(2);
    expect(later.length).toBe(0);
  });

  it('sends a large paste in pieces and a resize in between', async () => {
    const { attachment, sent, snapshot } = rig();
    attachment.connect(SIZE);
    await snapshot(1n, '');
    attachment.type(bytes('y'.repeat(70_000)));
    attachment.resize({ columns: 100, rows: 30 });
    expect(sent.map((one) => (one.startsWith('y') ? one.length : one))).toEqual([32768, 32768, 4464, '100x30']);
  });
});
