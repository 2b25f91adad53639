// One channel on a scripted wire.

import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/channel/limits';
import { encodeInner } from '../../src/channel/mux';
import { FLAG_MORE, decodeOuter, encodeFrame } from '../../src/channel/outer';
import { CloseReason, FailureReason, closeLabel } from '../../src/channel/reasons';
import { type Bytes } from '../../src/crypto/wire';
import { Pair } from '../support/pair';

const stream = (id: bigint, data: Uint8Array) => ({ case: 'streamData' as const, value: { $typeName: 'leapmux.v1.StreamData' as const, id, data } });
const response = (id: bigint, value: Uint8Array) =>
  ({ case: 'response' as const, value: { $typeName: 'leapmux.v1.Response' as const, id, result: { case: 'payload' as const, value } } });
const ping = (nonce: bigint) => ({ case: 'ping' as const, value: { $typeName: 'leapmux.v1.Ping' as const, nonce } });
const callOf = (payload: Uint8Array, opensStream = false) => ({ method: 'm', payload, opensStream, workspaceId: '' });
const flip = (message: Bytes, at: number): Bytes => {
  const copy = message.slice();
  copy[at]! ^= 1;
  return copy;
};

/** A ready channel with one stream open; the Worker has read everything so far. */
async function streaming(): Promise<{ pair: Pair; id: number }> {
  const pair = await new Pair().ready();
  const id = pair.session.mux.openStream({ method: 'terminal.attach', payload: new Uint8Array(), workspaceId: '' });
  if (typeof id !== 'number') throw new Error('no stream');
  pair.exchange();
  return { pair, id };
}

describe('before the claim is accepted', () => {
  it('sends the claim at counter 0 and nothing of the page', async () => {
    const pair = new Pair();
    await pair.open();
    pair.session.mux.request(callOf(Uint8Array.of(1)));
    pair.drain();
    expect(pair.frames).toEqual([]);
    expect(pair.worker.keys.opener.counter).toBe(1);
    expect(pair.worker.said.map((body) => body.case)).toEqual(['claim']);
    pair.worker.accept();
    pair.deliver();
    pair.exchange();
    expect(pair.worker.said.map((body) => body.case)).toEqual(['claim', 'request']);
  });

  it('closes at any other word of the Worker', async () => {
    for (const body of [ping(1n), stream(1n, Uint8Array.of(1)), response(1n, Uint8Array.of(1))]) {
      const pair = await new Pair().open();
      pair.worker.say(body);
      pair.deliver();
      expect(pair.ending).toBe('protocol_error');
    }
  });

  it('takes the Worker at its word when it fails, with what it says', async () => {
    const pair = await new Pair().open();
    pair.worker.say({ case: 'failure', value: { $typeName: 'leapmux.v1.Failure', reason: FailureReason.DEVICE_NOT_TRUSTED, detail: 'a-b-c-d' } });
    pair.deliver();
    expect(pair.events.at(-1)).toEqual({ kind: 'closed', ending: { reason: 'device_not_trusted', detail: 'a-b-c-d' } });
  });

  it('gives up after 15 s without an answer to the Open, and to the claim', async () => {
    const opening = new Pair();
    opening.drain();
    opening.pass(14_999);
    expect(opening.ending).toBeUndefined();
    opening.pass(1);
    expect(opening.ending).toBe('open_timeout');
    const proving = await new Pair().open();
    proving.pass(15_000);
    expect(proving.ending).toBe('claim_timeout');
    expect(proving.controls.at(-1)).toMatchObject({ case: 'close', value: { reason: CloseReason.CLAIM_TIMEOUT } });
  });

  it('closes when message 2 was altered, and keeps nothing', () => {
    const pair = new Pair();
    pair.drain();
    pair.session.receiveControl({ case: 'opened', value: { $typeName: 'leapmux.v1.Opened', channelId: pair.session.channelId, noise: new Uint8Array(48), maxMessageBytes: 0 } }, 0);
    pair.drain();
    expect(pair.ending).toBe('handshake_failed');
  });
});

describe('a wire that is not what it should be', () => {
  async function spoken(count: number): Promise<{ pair: Pair; messages: Bytes[] }> {
    const { pair } = await streaming();
    for (let n = 0; n < count; n++) pair.worker.say(stream(1n, Uint8Array.of(n)));
    return { pair, messages: pair.worker.outgoing.splice(0) };
  }

  it('delivers what arrives whole, once and in order', async () => {
    const { pair, messages } = await spoken(3);
    messages.forEach((message) => pair.give(message));
    expect(pair.of('stream-data').map((event) => event.data[0])).toEqual([0, 1, 2]);
    expect(pair.ending).toBeUndefined();
  });

  it.each([
    ['dropped', (m: Bytes[]) => [m[0]!, m[2]!], 1],
    ['doubled', (m: Bytes[]) => [m[0]!, m[0]!], 1],
    ['swapped', (m: Bytes[]) => [m[1]!, m[0]!], 0],
    ['altered', (m: Bytes[]) => [m[0]!, flip(m[1]!, 40)], 1],
    ['given another correlation id', (m: Bytes[]) => [m[0]!, flip(m[1]!, 28)], 1],
    ['cut by a byte', (m: Bytes[]) => [m[0]!, m[1]!.slice(0, -1)], 1],
  ])('ends the channel when a frame is %s', async (_what, script, delivered) => {
    const { pair, messages } = await spoken(3);
    script(messages).forEach((message) => pair.give(message));
    expect(pair.of('stream-data')).toHaveLength(delivered);
    expect(pair.ending).toBe('decrypt_failed');
    expect(pair.controls.at(-1)).toMatchObject({ case: 'close', value: { reason: CloseReason.DECRYPT_FAILED } });
  });

  it('ends the channel when a MORE flag is added, and lets nothing through', async () => {
    const { pair, messages } = await spoken(1);
    pair.give(flip(messages[0]!, 29));
    expect(pair.of('stream-data')).toEqual([]);
    expect(pair.ending).toBe('decrypt_failed');
  });

  it('ends the channel at its own frame reflected', async () => {
    const { pair } = await streaming();
    pair.session.mux.request(callOf(Uint8Array.of(1)));
    pair.drain();
    pair.give(pair.toWorker.at(-1)!);
    expect(pair.ending).toBe('decrypt_failed');
  });

  it('says nothing and takes nothing once it has ended', async () => {
    const { pair, messages } = await spoken(2);
    pair.give(flip(messages[0]!, 40));
    const before = pair.events.length;
    const sent = pair.toWorker.length;
    pair.give(messages[0]!);
    pair.give(messages[1]!);
    pair.pass(100_000_000);
    expect(pair.events).toHaveLength(before);
    expect(pair.toWorker).toHaveLength(sent);
    expect(pair.session.deadline).toBeUndefined();
  });
});

describe('the rules of frames', () => {
  const frame = (pair: Pair, over: Partial<Parameters<typeof encodeFrame>[0]>) => encodeFrame({
    channelId: pair.session.channelId, epoch: 0, correlation: 9n, flags: 0, ciphertext: new Uint8Array(17), ...over,
  });

  it.each([
    ['too short', { ciphertext: new Uint8Array(16) }, CloseReason.FRAME_SIZE],
    ['too long', { ciphertext: new Uint8Array(65_536) }, CloseReason.FRAME_SIZE],
    ['of unknown flags', { flags: 2 }, CloseReason.PROTOCOL_ERROR],
    ['of an epoch to come', { epoch: 1 }, CloseReason.PROTOCOL_ERROR],
  ])('closes at a frame that is %s', async (_what, over, reason) => {
    const pair = await new Pair().ready();
    pair.give(frame(pair, over));
    expect(pair.ending).toBe(closeLabel(reason));
  });

  it('refuses interleaving, and lets a single frame pass between chunks', async () => {
    const { pair } = await streaming();
    const long = encodeInner(stream(1n, new Uint8Array(70_000).fill(7)));
    pair.worker.sayFrame(100n, FLAG_MORE, long.subarray(0, 65_519));
    pair.worker.say(stream(1n, Uint8Array.of(1)));
    pair.worker.sayFrame(100n, 0, long.subarray(65_519));
    pair.deliver();
    expect(pair.of('stream-data').map((event) => event.data.length)).toEqual([1, 70_000]);
    pair.worker.sayFrame(101n, FLAG_MORE, Uint8Array.of(1));
    pair.worker.sayFrame(102n, FLAG_MORE, Uint8Array.of(1));
    pair.deliver();
    expect(pair.ending).toBe('interleaved_chunks');
  });

  it('closes when chunks stop for 30 s', async () => {
    const pair = await new Pair().ready();
    pair.worker.sayFrame(100n, FLAG_MORE, Uint8Array.of(1));
    pair.deliver();
    pair.pass(29_999);
    expect(pair.ending).toBeUndefined();
    pair.pass(1);
    expect(pair.ending).toBe('chunk_timeout');
  });

  it('closes at the 258th frame of a message', async () => {
    const pair = await new Pair().ready();
    for (let n = 0; n < 257; n++) pair.worker.sayFrame(100n, FLAG_MORE, Uint8Array.of(1));
    pair.deliver();
    expect(pair.ending).toBeUndefined();
    pair.worker.sayFrame(100n, 0, Uint8Array.of(1));
    pair.deliver();
    expect(pair.ending).toBe('too_many_chunks');
  });

  it('closes at a message of more than the limit', async () => {
    const pair = await new Pair({ ...LIMITS, messageBytes: 100_000 }).ready();
    pair.worker.sayFrame(100n, FLAG_MORE, new Uint8Array(65_519));
    pair.worker.sayFrame(100n, FLAG_MORE, new Uint8Array(40_000));
    pair.deliver();
    expect(pair.ending).toBe('message_too_large');
  });

  it('drops a Close of an older epoch only', async () => {
    const pair = await new Pair().ready();
    pair.worker.close(CloseReason.REVOKED);
    pair.deliver();
    expect(pair.ending).toBe('revoked');
  });

  it('closes at what is no Inner message', async () => {
    const pair = await new Pair().ready();
    pair.worker.sayFrame(100n, 0, Uint8Array.of(0xff, 0xff, 0xff));
    pair.deliver();
    expect(pair.ending).toBe('protocol_error');
  });
});

describe('acknowledgement', () => {
  const acks = (pair: Pair) => pair.worker.said.flatMap((body) => (body.case === 'ack' ? [body.value.received] : []));

  it('comes after 64 counted frames, or 256 KiB, or a second', async () => {
    const { pair } = await streaming();
    for (let n = 0; n < 64; n++) pair.worker.say(stream(1n, Uint8Array.of(1)));
    pair.deliver();
    pair.exchange();
    expect(acks(pair)).toEqual([64n]);
    for (let n = 0; n < 5; n++) pair.worker.say(stream(1n, new Uint8Array(60_000)));
    pair.deliver();
    pair.exchange();
    expect(acks(pair)).toEqual([64n, 69n]);
    pair.worker.say(stream(1n, Uint8Array.of(1)));
    pair.deliver();
    expect(pair.session.deadline).toBe(1_000);
    pair.pass(1_000);
    pair.exchange();
    expect(acks(pair)).toEqual([64n, 69n, 70n]);
  });

  it('counts neither claim answer nor ping nor Ack', async () => {
    const { pair } = await streaming();
    for (let n = 0; n < 100; n++) pair.worker.say(ping(BigInt(n)));
    pair.worker.say({ case: 'ack', value: { $typeName: 'leapmux.v1.Ack', received: 1n } });
    pair.deliver();
    pair.pass(1_000);
    pair.exchange();
    expect(acks(pair)).toEqual([]);
  });

  it('bounds what is under way: 4 MiB, then it waits, and pings still pass', async () => {
    const pair = await new Pair().ready();
    for (let n = 0; n < 20; n++) pair.session.mux.request(callOf(new Uint8Array(1_000_000)));
    pair.drain();
    const bytes = pair.frames.reduce((sum, frame) => sum + frame.ciphertext.length - 16, 0);
    expect(bytes).toBeLessThanOrEqual(4 * 1024 * 1024);
    expect(bytes).toBeGreaterThan(4 * 1024 * 1024 - 2 * 65_519);
    const counted = pair.frames.length;
    pair.worker.say(ping(7n));
    pair.deliver();
    expect(pair.frames).toHaveLength(counted + 1);
    pair.worker.say({ case: 'ack', value: { $typeName: 'leapmux.v1.Ack', received: BigInt(counted) } });
    pair.deliver();
    expect(pair.frames.length).toBeGreaterThan(counted + 50);
  });

  it('of what was never sent closes the channel', async () => {
    const pair = await new Pair().ready();
    pair.worker.say({ case: 'ack', value: { $typeName: 'leapmux.v1.Ack', received: 1n } });
    pair.deliver();
    expect(pair.ending).toBe('protocol_error');
  });
});

describe('requests and streams', () => {
  it('never lets a small message wait behind a long one', async () => {
    const pair = await new Pair().ready();
    pair.session.mux.request(callOf(new Uint8Array(3_000_000)));
    for (let n = 0; n < 3; n++) pair.toWorker.push(pair.session.pollOutgoing(0)!);
    const small = pair.session.mux.request(callOf(Uint8Array.of(5)));
    const message = pair.session.pollOutgoing(0)!;
    pair.toWorker.push(message);
    const next = decodeOuter(message);
    expect(next?.kind === 'frame' && next.frame.ciphertext.length).toBeLessThan(100);
    pair.exchange();
    expect(small).toBe(2);
  });

  it('has 64 calls under way and keeps the next until one is answered', async () => {
    const pair = await new Pair().ready();
    for (let n = 0; n < 70; n++) pair.session.mux.request(callOf(Uint8Array.of(n)));
    pair.exchange();
    const asked = () => pair.worker.said.filter((body) => body.case === 'request').length;
    expect(asked()).toBe(64);
    pair.worker.say(response(1n, Uint8Array.of(1)));
    pair.worker.say(response(2n, Uint8Array.of(1)));
    pair.deliver();
    pair.exchange();
    expect(asked()).toBe(66);
    expect(pair.of('answer').map((event) => event.id)).toEqual([1, 2]);
  });

  it('sends within the credit of 1 MiB, then waits for more', async () => {
    const { pair, id } = await streaming();
    for (let n = 0; n < 6; n++) pair.session.mux.streamSend(id, new Uint8Array(256 * 1024));
    pair.exchange();
    const data = () => pair.worker.said.filter((body) => body.case === 'streamData').length;
    expect(data()).toBe(4);
    pair.worker.say({ case: 'credit', value: { $typeName: 'leapmux.v1.Credit', id: BigInt(id), total: BigInt(1024 * 1024 + 256 * 1024) } });
    pair.deliver();
    pair.exchange();
    expect(data()).toBe(5);
  });

  it('ends a stream whose page sends faster than the Worker reads, and cancels it there', async () => {
    const { pair, id } = await streaming();
    for (let n = 0; n < 9; n++) pair.session.mux.streamSend(id, new Uint8Array(256 * 1024));
    pair.exchange();
    expect(pair.of('stream-end')).toMatchObject([{ id, error: { code: 8 } }]);
    expect(pair.worker.said.at(-1)?.case).toBe('cancel');
    expect(pair.ending).toBeUndefined();
  });

  it('grants credit as the page consumes, as an absolute total', async () => {
    const { pair, id } = await streaming();
    for (let n = 0; n < 2; n++) pair.worker.say(stream(1n, new Uint8Array(256 * 1024)));
    pair.deliver();
    pair.session.mux.streamConsumed(id, 256 * 1024);
    pair.session.mux.streamConsumed(id, 256 * 1024);
    pair.exchange();
    const credit = pair.worker.said.filter((body) => body.case === 'credit');
    expect(credit).toMatchObject([{ value: { id: 1n, total: BigInt(1024 * 1024 + 512 * 1024) } }]);
  });

  it('closes at a Worker that sends beyond its credit, or 256 KiB in one message', async () => {
    const { pair } = await streaming();
    for (let n = 0; n < 5; n++) pair.worker.say(stream(1n, new Uint8Array(256 * 1024)));
    pair.deliver();
    expect(pair.ending).toBe('protocol_error');
    const other = (await streaming()).pair;
    other.worker.say(stream(1n, new Uint8Array(256 * 1024 + 1)));
    other.deliver();
    expect(other.ending).toBe('protocol_error');
  });

  it('ends what the page ended only after all it had sent', async () => {
    const { pair, id } = await streaming();
    for (let n = 0; n < 5; n++) pair.session.mux.streamSend(id, new Uint8Array(250 * 1024));
    pair.session.mux.streamEnd(id);
    pair.session.mux.streamSend(id, Uint8Array.of(1));
    pair.exchange();
    expect(pair.worker.said.at(-1)?.case).toBe('streamData');
    pair.worker.say({ case: 'credit', value: { $typeName: 'leapmux.v1.Credit', id: 1n, total: BigInt(2 * 1000 * 1024) } });
    pair.deliver();
    pair.exchange();
    expect(pair.worker.said.slice(-2).map((body) => body.case)).toEqual(['streamData', 'streamEnd']);
  });

  it('forgives late words about a stream that was cancelled', async () => {
    const { pair, id } = await streaming();
    pair.session.mux.cancel(id);
    pair.worker.say(stream(BigInt(id), Uint8Array.of(1)));
    pair.worker.say(response(BigInt(id), Uint8Array.of(1)));
    pair.deliver();
    expect(pair.ending).toBeUndefined();
    expect(pair.of('stream-data')).toEqual([]);
    pair.worker.say(stream(99n, Uint8Array.of(1)));
    pair.deliver();
    expect(pair.ending).toBe('protocol_error');
  });

  it('tells the page the error of a refused stream', async () => {
    const { pair, id } = await streaming();
    pair.worker.say({ case: 'response', value: { $typeName: 'leapmux.v1.Response', id: 1n, result: { case: 'error', value: { $typeName: 'leapmux.v1.RpcError', code: 5, message: 'no such terminal' } } } });
    pair.deliver();
    expect(pair.of('stream-end')).toMatchObject([{ id, error: { code: 5, message: 'no such terminal' } }]);
  });

  it('measures the way with a ping', async () => {
    const pair = await new Pair().ready();
    pair.session.ping();
    pair.exchange();
    pair.now = 42;
    const asked = pair.worker.said.at(-1);
    if (asked?.case !== 'ping') throw new Error('no ping');
    pair.worker.say({ case: 'pong', value: { $typeName: 'leapmux.v1.Pong', nonce: asked.value.nonce } });
    pair.deliver();
    expect(pair.events.at(-1)).toEqual({ kind: 'pong', rtt: 42 });
  });
});
