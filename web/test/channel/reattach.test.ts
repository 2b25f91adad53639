// What the page sees of a channel that loses its path, or whose keys grow old.

import { describe, expect, it } from 'vitest';
import { ParametersError } from '../../src/channel/parameters';
import { CloseReason, RefusalReason } from '../../src/channel/reasons';
import { encodeControl } from '../../src/channel/outer';
import type { FakeChannel } from '../support/fake-worker';
import { WORKER_ID } from '../support/fake-worker';
import { Rig, settle } from '../support/rig';

const MINUTE = 60_000;
const call = (id: number) => ({ kind: 'call' as const, id, workerId: WORKER_ID, method: 'worker.info', payload: Uint8Array.of(id), workspaceId: '' });
const stream = (id: number) => ({ kind: 'stream' as const, id, workerId: WORKER_ID, method: 'terminal.attach', payload: new Uint8Array(), workspaceId: '' });
const send = (id: number, byte: number) => ({ kind: 'stream-send' as const, id, data: Uint8Array.of(byte) });
const typed = (channel: FakeChannel) => channel.said.flatMap((body) => (body.case === 'streamData' ? [...body.value.data] : []));
const output = (channel: FakeChannel, byte: number) =>
  channel.say({ case: 'streamData', value: { $typeName: 'leapmux.v1.StreamData', id: 1n, data: Uint8Array.of(byte) } });
const shown = (rig: Rig) => rig.of('stream-data').flatMap((message) => [...message.data]);

/** A Worker that answers pings and calls; one stream is open. */
async function streaming(): Promise<{ rig: Rig; channel: FakeChannel }> {
  const rig = new Rig();
  rig.hub.onInner = (channel, body) => {
    if (body.case === 'ping') channel.say({ case: 'pong', value: { $typeName: 'leapmux.v1.Pong', nonce: body.value.nonce } });
    if (body.case === 'request' && !body.value.opensStream) {
      channel.say({ case: 'response', value: { $typeName: 'leapmux.v1.Response', id: body.value.id, result: { case: 'payload', value: body.value.payload } } });
    }
  };
  await rig.open();
  rig.ask(stream(5));
  await settle();
  return { rig, channel: rig.hub.channels[0]! };
}

describe('a channel whose socket is lost', () => {
  it('is attached again, and no call or stream notices', async () => {
    const { rig, channel } = await streaming();
    rig.ask(send(5, 1));
    await settle();
    rig.hub.cut();
    rig.ask(send(5, 2));
    rig.ask(call(6));
    output(channel, 10);
    await settle();
    expect(rig.last.state).toBe('reconnecting');
    expect(rig.last.retryAt).toBeLessThanOrEqual(rig.now + 500);
    await rig.pass(500);
    expect(rig.last.state).toBe('ready');
    rig.ask(send(5, 3));
    output(channel, 11);
    rig.hub.flush();
    await settle();
    expect(rig.hub.channels).toHaveLength(1);
    expect(typed(channel)).toEqual([1, 2, 3]);
    expect(shown(rig)).toEqual([10, 11]);
    expect(rig.of('answer')).toMatchObject([{ id: 6, payload: Uint8Array.of(6) }]);
    expect(rig.of('stream-end')).toEqual([]);
    expect(rig.of('failed')).toEqual([]);
    expect(rig.hub.controls.map((body) => body.case)).toEqual(['open', 'renew']);
  });

  it('asks no question of trust and fetches nothing for it', async () => {
    const { rig } = await streaming();
    rig.parametersFail = new ParametersError('unreachable');
    rig.storageFails = true;
    rig.hub.cut();
    await rig.pass(500);
    expect(rig.last.state).toBe('ready');
    expect(rig.questions).toEqual([]);
  });

  it('gets what the Worker said and the wire lost', async () => {
    const { rig, channel } = await streaming();
    rig.ask(send(5, 7));
    for (const byte of [1, 2, 3]) output(channel, byte);
    channel.outgoing.splice(0);
    await settle();
    rig.hub.cut();
    await rig.pass(500);
    expect(shown(rig)).toEqual([1, 2, 3]);
    expect(typed(channel)).toEqual([7]);
  });

  it('opens a new one where the Hub cannot attach it, and only then ends what was open', async () => {
    const { rig } = await streaming();
    rig.hub.renews = false;
    rig.hub.onInner = () => undefined;
    rig.ask(call(6));
    await settle();
    rig.hub.cut();
    await settle();
    expect(rig.of('stream-end')).toEqual([]);
    expect(rig.of('failed')).toEqual([]);
    await rig.pass(1_000);
    expect(rig.of('stream-end')).toMatchObject([{ id: 5, error: { code: 14, message: 'connection lost' } }]);
    expect(rig.of('failed')).toMatchObject([{ id: 6, error: { code: 14, message: 'connection lost' } }]);
    expect(rig.last.state).toBe('ready');
    expect(rig.hub.channels).toHaveLength(2);
    expect(rig.questions).toEqual([]);
  });

  it('gives up after five minutes without a path', async () => {
    const { rig } = await streaming();
    rig.hub.up = false;
    rig.hub.cut();
    await rig.pass(5 * MINUTE - 1);
    expect(rig.of('stream-end')).toEqual([]);
    await rig.pass(1);
    expect(rig.of('stream-end')).toMatchObject([{ id: 5, error: { code: 14 } }]);
    expect(rig.last).toMatchObject({ state: 'reconnecting', reason: 'detached_too_long' });
    rig.hub.up = true;
    await rig.pass(30_000);
    expect(rig.last.state).toBe('ready');
    expect(rig.hub.channels).toHaveLength(2);
  });

  it.each([RefusalReason.WORKER_OFFLINE, RefusalReason.BUSY, RefusalReason.DRAINING, RefusalReason.TIMEOUT, RefusalReason.QUOTA])(
    'tries again after refusal %s, not before the Hub said, and ends nothing', async (reason) => {
      const { rig, channel } = await streaming();
      const renew = channel.renew.bind(channel);
      channel.renew = ({ channelId, serial }) => void channel.outgoing.push(encodeControl({
        case: 'refused', value: { $typeName: 'leapmux.v1.Refused', channelId, serial, reason, retryAfterMs: 7_000 },
      }));
      rig.hub.cut();
      await rig.pass(500);
      const { retryAt } = rig.last;
      expect(rig.last.state).toBe('reconnecting');
      channel.renew = renew;
      await rig.pass(retryAt! - rig.now - 1);
      expect(rig.hub.controls.filter((body) => body.case === 'renew')).toHaveLength(1);
      await rig.pass(1);
      expect(rig.last.state).toBe('ready');
      expect(rig.of('stream-end')).toEqual([]);
    });

  it.each([RefusalReason.CREDENTIAL, RefusalReason.NOT_FOUND, RefusalReason.DUPLICATE, RefusalReason.HANDSHAKE, RefusalReason.STALE])(
    'opens a new one within half a second after refusal %s', async (reason) => {
      const { rig, channel } = await streaming();
      channel.renew = ({ channelId, serial }) => void channel.outgoing.push(encodeControl({
        case: 'refused', value: { $typeName: 'leapmux.v1.Refused', channelId, serial, reason, retryAfterMs: 0 },
      }));
      rig.hub.cut();
      await rig.pass(1_000);
      expect(rig.last.state).toBe('ready');
      expect(rig.hub.channels).toHaveLength(2);
      expect(rig.of('stream-end')).toMatchObject([{ id: 5, error: { code: 14 } }]);
    });

  it('opens new ones at moments of their own, however many were refused at once', async () => {
    const waits = await Promise.all([1, 2, 3, 4, 5, 6].map(async () => {
      const { rig } = await streaming();
      rig.hub.renews = false;
      rig.hub.cut();
      while (rig.hub.controls.at(-1)?.case !== 'renew') await rig.pass(5);
      const { retryAt } = rig.last;
      return retryAt! - rig.now;
    }));
    expect(Math.max(...waits)).toBeLessThan(500);
    expect(new Set(waits).size).toBeGreaterThan(1);
  });

  it.each([2, -2])('is not hurried or held up by a clock that is set by %s hours', async (hours) => {
    const { rig, channel } = await streaming();
    rig.clockSet = hours * 60 * MINUTE;
    await rig.pass(MINUTE);
    expect(rig.hub.controls.map((body) => body.case)).toEqual(['open']);
    rig.hub.cut();
    await settle();
    expect(rig.last.retryAt! - rig.clockSet - rig.now).toBeGreaterThan(0);
    expect(rig.last.retryAt! - rig.clockSet - rig.now).toBeLessThanOrEqual(500);
    await rig.pass(500);
    output(channel, 1);
    rig.hub.flush();
    expect(shown(rig)).toEqual([1]);
    expect(rig.of('stream-end')).toEqual([]);
  });

  it('is closed for good when the page closes it meanwhile', async () => {
    const { rig } = await streaming();
    rig.hub.cut();
    rig.ask({ kind: 'close', workerId: WORKER_ID });
    expect(rig.of('stream-end')).toMatchObject([{ id: 5, error: { code: 14 } }]);
    await rig.pass(MINUTE);
    expect(rig.last).toMatchObject({ state: 'closed', reason: 'closed_by_client' });
    expect(rig.hub.controls.map((body) => body.case)).toEqual(['open']);
  });

  it('comes back as often as it is cut', async () => {
    const { rig, channel } = await streaming();
    const bytes = Array.from({ length: 12 }, (_, n) => n);
    for (const byte of bytes) {
      rig.ask(send(5, byte));
      output(channel, byte);
      rig.hub.cut();
      await rig.pass(byte * 100);
    }
    await rig.pass(31_000);
    expect(rig.last.state).toBe('ready');
    expect(typed(channel)).toEqual(bytes);
    expect(shown(rig)).toEqual(bytes);
    expect(rig.of('stream-end')).toEqual([]);
  });
});

describe('a channel whose Worker is lost while the socket stands', () => {
  it.each([CloseReason.CONNECTION_LOST, CloseReason.DRAINING, CloseReason.MOVED])('is attached again after Close %s', async (reason) => {
    const { rig, channel } = await streaming();
    channel.close(reason);
    rig.hub.flush();
    expect(rig.last.state).toBe('reconnecting');
    await rig.pass(500);
    expect(rig.last.state).toBe('ready');
    expect(rig.hub.channels).toHaveLength(1);
    expect(rig.hub.connections).toBe(1);
    expect(rig.of('stream-end')).toEqual([]);
  });

  it('is not, once it was closed for good', async () => {
    const { rig, channel } = await streaming();
    channel.close(CloseReason.WORKER_OFFLINE);
    rig.hub.flush();
    expect(rig.of('stream-end')).toMatchObject([{ id: 5, error: { code: 14 } }]);
    await rig.pass(500);
    expect(rig.hub.controls.map((body) => body.case)).toEqual(['open', 'open']);
  });

  it('keeps the socket, on which others speak, when only this Worker hangs', async () => {
    const { rig, channel } = await streaming();
    rig.hub.onInner = () => undefined;
    await rig.pass(15_500);
    for (let second = 0; second < 12; second++) {
      rig.hub.send(encodeControl({ case: 'close', value: { $typeName: 'leapmux.v1.Close', channelId: new Uint8Array(16), epoch: 0, reason: CloseReason.MOVED } }));
      await rig.pass(1_000);
    }
    expect(rig.states.slice(-2)).toEqual(['reconnecting', 'ready']);
    expect(rig.hub.connections).toBe(1);
    expect(channel.epochs.current.number).toBeGreaterThan(0);
    expect(rig.of('stream-end')).toEqual([]);
  });

  it('tries with a new Renew when no answer comes in 30 s, on a new socket if nothing else came', async () => {
    const { rig, channel } = await streaming();
    const renew = channel.renew.bind(channel);
    channel.renew = () => undefined;
    rig.hub.cut();
    await rig.pass(500);
    expect(rig.hub.connections).toBe(2);
    await rig.pass(29_000);
    expect(rig.hub.connections).toBe(2);
    channel.renew = renew;
    await rig.pass(2_500);
    expect(rig.hub.connections).toBe(3);
    expect(rig.last.state).toBe('ready');
    expect(channel.epochs.current.number).toBe(2);
    expect(rig.of('stream-end')).toEqual([]);
  });
});

describe('keys that grow old', () => {
  it('are renewed within the hour while the traffic goes on, and the page hears nothing of it', async () => {
    const { rig, channel } = await streaming();
    const sent: number[] = [];
    for (let minute = 0; minute < 130; minute++) {
      rig.ask(send(5, minute));
      output(channel, minute);
      rig.hub.flush();
      sent.push(minute);
      await rig.pass(MINUTE);
    }
    expect(channel.epochs.current.number).toBe(2);
    expect(typed(channel)).toEqual(sent);
    expect(shown(rig)).toEqual(sent);
    expect(rig.of('stream-end')).toEqual([]);
    const ready = rig.states.indexOf('ready');
    expect(new Set(rig.states.slice(ready))).toEqual(new Set(['ready']));
    expect(rig.hub.channels).toHaveLength(1);
  }, 30_000);

  it('lead to a new channel where the Hub refuses', async () => {
    const { rig } = await streaming();
    rig.hub.renews = false;
    await rig.pass(54 * MINUTE);
    expect(rig.hub.channels).toHaveLength(1);
    await rig.pass(5 * MINUTE);
    expect(rig.hub.channels).toHaveLength(2);
    expect(rig.last.state).toBe('ready');
  }, 30_000);
});

describe('a first claim that is being pinned', () => {
  it('serves once pinned, although the path was lost meanwhile', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => { release = resolve; });
    let asked = 0;
    const client: Rig = new Rig(undefined, { pins: async () => {
      if (++asked > 1) await held;
      return client.pins();
    } });
    await client.open();
    expect(client.last.state).toBe('proving');
    client.ask(call(1));
    client.hub.cut();
    await client.pass(500);
    expect(client.last.state).toBe('reconnecting');
    release();
    await settle();
    expect(client.last.state).toBe('ready');
    expect(client.hub.channels).toHaveLength(1);
  });
});
