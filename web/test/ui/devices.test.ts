import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { ChannelStatus, ChannelThread, StreamCallbacks } from '../../src/channel/handle';
import { DeviceApproveSchema, DeviceListSchema, DeviceRemoveSchema, DeviceState } from '../../src/gen/leapmux/v1/services_pb';
import { account } from '../../src/state/account';
import { channels, useThread } from '../../src/state/channels';
import { approve, devices, followDevices, keyOf, notNow, otherUser, remove, waitingDevice, wordsOfDevice } from '../../src/state/devices';
import { WorkerSchema } from '../../src/gen/leapmux/v1/workers_pb';
import { notRegistered, registerDevice } from '../../src/state/own-device';
import { workers } from '../../src/state/workers';

const KEY = new Uint8Array(1984).fill(1);
const calls: { method: string; payload: Uint8Array }[] = [];
const signed: { key: Uint8Array }[] = [];
const watched: string[] = [];
let watcher: StreamCallbacks | undefined;
let say: (status: ChannelStatus) => void = () => undefined;

useThread(() => ({
  call: async (_worker: string, method: string, payload: Uint8Array) => {
    calls.push({ method, payload });
    return toBinary(DeviceListSchema, create(DeviceListSchema));
  },
  work: async (kind: string, asked: { key: Uint8Array }) => {
    if (kind === 'own-device') return { algorithm: 2, key: KEY, words: '' };
    if (kind === 'words') return `words-of-${asked.key[0]}`;
    signed.push(asked);
    return new Uint8Array(8);
  },
  stream: (worker: string, _method: string, _payload: Uint8Array, callbacks: StreamCallbacks) => {
    watched.push(worker);
    watcher = callbacks;
    return { send: () => undefined, end: () => undefined, cancel: () => undefined };
  },
  onStatus: (listener: (status: ChannelStatus) => void) => {
    say = listener;
    return () => undefined;
  },
}) as unknown as ChannelThread);
channels();
followDevices();
const worker = (change: object) => create(WorkerSchema, { workerId: 'w', ownerUserId: 'me', ...change });
account.value = { state: 'signed-in', userId: 'me', username: 'ada', solo: false, version: '1' };
workers.value = [worker({}), worker({ workerId: 'theirs', ownerUserId: 'other' })];
say({ workerId: 'theirs', state: 'ready' });
say({ workerId: 'w', state: 'ready' });

const list = (...of: { userId: string; key?: Uint8Array; state?: DeviceState; fingerprint?: string }[]) => void watcher?.onData(
  toBinary(DeviceListSchema, create(DeviceListSchema, { devices: of.map((one) => ({ key: KEY, algorithm: 2, state: DeviceState.WAITING, ...one })) })));

beforeEach(() => {
  account.value = { state: 'signed-in', userId: 'me', username: 'ada', solo: false, version: '1' };
  devices.value = new Map();
  workers.value = [worker({})];
  calls.length = 0;
  signed.length = 0;
  vi.stubGlobal('fetch', async () => new Response('{}'));
});

/** The one that waits, once its words can be read. */
async function legible() {
  await vi.waitFor(() => expect(wordsOfDevice(waitingDevice.value!)).toBeDefined());
  return waitingDevice.value!;
}

describe('devices', () => {
  it('are approved and removed for the user whose they are', async () => {
    list({ userId: 'somebody' });
    await approve(await legible());
    list({ userId: 'me' });
    await remove(waitingDevice.value!);
    expect(calls.map(({ method }) => method)).toEqual(['devices.approve', 'devices.remove']);
    expect(fromBinary(DeviceApproveSchema, calls[0]!.payload)).toMatchObject({ key: KEY, userId: 'somebody' });
    expect(fromBinary(DeviceRemoveSchema, calls[1]!.payload)).toMatchObject({ key: KEY, userId: 'me' });
  });

  it('are told by a Worker of one’s own, and by no other', () => {
    expect(watched).toEqual(['w']);
  });

  it('go by the words of their key and not by those that a Worker sends along', async () => {
    list({ userId: 'me', key: new Uint8Array(1984).fill(7), fingerprint: 'words-of-a-friend' });
    const waiting = waitingDevice.value!;
    expect(wordsOfDevice(waiting)).toBeUndefined();
    await approve(waiting);
    expect(calls).toEqual([]);
    expect(wordsOfDevice(await legible())).toBe('words-of-7');
    await approve(waiting);
    expect(calls.map(({ method }) => method)).toEqual(['devices.approve']);
  });

  it('are vouched for where they are one’s own, at a Worker of one’s own, and with a key that is one', async () => {
    list({ userId: 'somebody' });
    await approve(await legible());
    list({ userId: 'me' });
    workers.value = [worker({ ownerUserId: 'other' })];
    await approve(await legible());
    workers.value = [worker({})];
    list({ userId: 'me', key: KEY.slice(1) });
    await approve(await legible());
    expect(signed).toEqual([]);
    list({ userId: 'me' });
    await approve(await legible());
    expect(signed.map(({ key }) => key.length)).toEqual([1984, 32]);
  });

  it('are asked about the own ones first, and those of others are named as such', () => {
    list({ userId: 'some\u202ebody' }, { userId: 'me' });
    expect(waitingDevice.value!.device.userId).toBe('me');
    expect(otherUser(waitingDevice.value!.device)).toBeUndefined();
    list({ userId: 'some\u202ebody' });
    expect(otherUser(waitingDevice.value!.device)).toBe('somebody');
    list({ userId: '' });
    expect(otherUser(waitingDevice.value!.device)).toBe('unknown');
  });

  it('that wait with one key for two users are two, and putting off one leaves the other', () => {
    list({ userId: 'me' }, { userId: 'other' });
    const first = waitingDevice.value!;
    notNow(first);
    expect(keyOf(waitingDevice.value!)).not.toBe(keyOf(first));
    expect(waitingDevice.value!.device.userId).toBe('other');
  });
});

describe('a device that the Hub has no room for', () => {
  it('says so, until there is room', async () => {
    vi.stubGlobal('navigator', { userAgent: '' });
    vi.stubGlobal('fetch', async () => new Response(JSON.stringify({ code: 'resource_exhausted', message: 'a quota of the user is used up' }), { status: 429 }));
    await expect(registerDevice()).rejects.toThrow();
    expect(notRegistered.value).toBe('A quota of the user is used up.');
    vi.stubGlobal('fetch', async () => new Response('{}'));
    await registerDevice();
    expect(notRegistered.value).toBeUndefined();
  });
});
