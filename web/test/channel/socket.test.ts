// The one WebSocket under all channels, and a Hub that misbehaves on it.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeControl, encodeFrame } from '../../src/channel/outer';
import { CloseReason } from '../../src/channel/reasons';
import { Pair } from '../support/pair';
import { Rig, settle } from '../support/rig';
import { Backoff } from '../../src/channel/backoff';
import { random } from '../support/fake-worker';

describe('the socket', () => {
  it('is closed at a message that is none, and comes back', async () => {
    const rig = new Rig();
    await rig.open();
    rig.hub.send(Uint8Array.of(9, 9, 9));
    await rig.pass(0);
    expect(rig.last).toMatchObject({ state: 'reconnecting', reason: 'protocol_error' });
    await rig.pass(500);
    expect(rig.last.state).toBe('ready');
  });

  it('is closed at the 16th frame for a channel that is not ours', async () => {
    const rig = new Rig();
    await rig.open();
    const foreign = encodeFrame({ channelId: random(16), epoch: 0, correlation: 1n, flags: 0, ciphertext: random(17) });
    for (let n = 0; n < 15; n++) rig.hub.send(foreign);
    expect(rig.last.state).toBe('ready');
    rig.hub.send(foreign);
    expect(rig.last).toMatchObject({ state: 'reconnecting', reason: 'foreign_channel' });
  });

  it('forgives frames for a channel that was closed just now', async () => {
    const rig = new Rig();
    await rig.open();
    const [channel] = rig.hub.channels;
    channel!.close(CloseReason.CLOSED_BY_WORKER);
    rig.hub.flush();
    const late = encodeFrame({ channelId: channel!.channelId, epoch: 0, correlation: 1n, flags: 0, ciphertext: random(17) });
    for (let n = 0; n < 40; n++) rig.hub.send(late);
    expect(rig.last).toMatchObject({ state: 'reconnecting', reason: 'closed_by_worker' });
    expect(rig.hub.connections).toBe(1);
  });

  it('comes back exactly when the Hub says in its goodbye', async () => {
    const rig = new Rig();
    await rig.open();
    rig.hub.send(encodeControl({ case: 'goodbye', value: { $typeName: 'leapmux.v1.Goodbye', reason: CloseReason.DRAINING, reconnectAfterMs: 12_345 } }));
    expect(rig.last).toMatchObject({ state: 'reconnecting', reason: 'draining', retryAt: rig.now + 12_345 });
    await rig.pass(12_344);
    expect(rig.hub.connections).toBe(1);
    await rig.pass(1);
    expect(rig.last.state).toBe('ready');
  });

  it('comes back after a minute at the latest, whatever the Hub says', async () => {
    const rig = new Rig();
    await rig.open();
    rig.hub.send(encodeControl({ case: 'goodbye', value: { $typeName: 'leapmux.v1.Goodbye', reason: CloseReason.DRAINING, reconnectAfterMs: 2 ** 32 - 1 } }));
    expect(rig.last).toMatchObject({ state: 'reconnecting', retryAt: rig.now + 60_000 });
  });

  it('waits longer each time for a Hub that says goodbye as soon as it was reached', async () => {
    const rig = new Rig();
    rig.hub.accepts = false;
    await rig.open();
    const goodbye = encodeControl({ case: 'goodbye', value: { $typeName: 'leapmux.v1.Goodbye', reason: CloseReason.DRAINING, reconnectAfterMs: 0 } });
    for (let second = 0; second < 300; second++) {
      rig.hub.send(goodbye);
      await rig.pass(1_000);
    }
    expect(rig.hub.connections).toBeGreaterThan(5);
    expect(rig.hub.connections).toBeLessThan(60);
  });

  it('waits longer each time for a Worker that accepts and closes at once', async () => {
    const rig = new Rig();
    await rig.open();
    for (let second = 0; second < 300; second++) {
      rig.hub.channels.at(-1)?.close(CloseReason.TOO_SLOW);
      rig.hub.flush();
      await rig.pass(1_000);
    }
    expect(rig.hub.channels.length).toBeGreaterThan(5);
    expect(rig.hub.channels.length).toBeLessThan(60);
  });

  it('comes back at once when the network does', async () => {
    const rig = new Rig();
    rig.hub.up = false;
    await rig.open();
    await rig.pass(60_000);
    rig.hub.up = true;
    rig.client.online();
    await settle();
    expect(rig.last.state).toBe('ready');
  });

  it('takes no more than 1 MiB ahead of the network', async () => {
    let buffered = 0;
    const rig: Rig = new Rig(undefined, {
      connect: (events) => {
        const wire = rig.hub.connect(events);
        return { close: wire.close, send: (message) => { buffered += message.length; wire.send(message); }, get bufferedAmount() { return buffered; } };
      },
    });
    await rig.open();
    for (let n = 0; n < 8; n++) rig.ask({ kind: 'call', id: n, workerId: rig.last.workerId, method: 'm', payload: new Uint8Array(500_000), workspaceId: '' });
    expect(buffered).toBeGreaterThan(1024 * 1024);
    expect(buffered).toBeLessThan(1024 * 1024 + 2 * 65_566);
    buffered = 0;
    await rig.pass(10);
    expect(buffered).toBeGreaterThan(1024 * 1024);
  });
});

describe('a session', () => {
  it('survives any bytes: it closes or goes on, and never throws', async () => {
    const openings = await Promise.all(Array.from({ length: 40 }, () => new Pair().ready()));
    let next = 0;
    fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (bytes) => {
      const pair = openings[next++ % openings.length]!;
      pair.worker.sayFrame(BigInt(next) + 1_000_000n, 0, Uint8Array.from(bytes));
      expect(() => pair.deliver()).not.toThrow();
    }), { numRuns: 400 });
    expect(openings.some((pair) => pair.ending === 'protocol_error')).toBe(true);
  });
});

describe('back-off', () => {
  it('stays between a quarter of a second and its span, which doubles to 30 s', () => {
    fc.assert(fc.property(fc.array(fc.double({ min: 0, max: 0.999999, noNaN: true }), { minLength: 1, maxLength: 40 }), (draws) => {
      const backoff = new Backoff();
      draws.forEach((draw, index) => {
        const wait = backoff.next(draw);
        expect(wait).toBeGreaterThanOrEqual(250);
        expect(wait).toBeLessThanOrEqual(Math.min(30_000, 500 * 2 ** index));
      });
      expect(backoff.next(0.5, 2 ** 32)).toBe(60_000);
      backoff.reset();
      expect(backoff.next(0.5)).toBeLessThanOrEqual(500);
    }));
  });
});
