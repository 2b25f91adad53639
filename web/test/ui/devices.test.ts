import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ChannelStatus, ChannelThread, StreamCallbacks } from '../../src/channel/handle';
import { DeviceApproveSchema, DeviceListSchema, DeviceRemoveSchema, DeviceState } from '../../src/gen/leapmux/v1/services_pb';
import { account } from '../../src/state/account';
import { channels, useThread } from '../../src/state/channels';
import { approve, devices, followDevices, keyOf, notNow, otherUser, remove, waitingDevice } from '../../src/state/devices';

const KEY = Uint8Array.of(1, 2);
const calls: { method: string; payload: Uint8Array }[] = [];
let watcher: StreamCallbacks | undefined;
let say: (status: ChannelStatus) => void = () => undefined;

useThread(() => ({
  call: async (_worker: string, method: string, payload: Uint8Array) => {
    calls.push({ method, payload });
    return toBinary(DeviceListSchema, create(DeviceListSchema));
  },
  stream: (_worker: string, _method: string, _payload: Uint8Array, callbacks: StreamCallbacks) => {
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
say({ workerId: 'w', state: 'ready' });

const list = (...of: { userId: string; key?: Uint8Array; state?: DeviceState }[]) => void watcher?.onData(
  toBinary(DeviceListSchema, create(DeviceListSchema, { devices: of.map((one) => ({ key: KEY, state: DeviceState.WAITING, ...one })) })));

beforeEach(() => {
  account.value = { state: 'signed-in', userId: 'me', username: 'ada', solo: false, version: '1' };
  devices.value = new Map();
  calls.length = 0;
});

describe('devices', () => {
  it('are approved and removed for the user whose they are', async () => {
    list({ userId: 'somebody' });
    await approve(waitingDevice.value!);
    list({ userId: 'me' });
    await remove(waitingDevice.value!);
    expect(calls.map(({ method }) => method)).toEqual(['devices.approve', 'devices.remove']);
    expect(fromBinary(DeviceApproveSchema, calls[0]!.payload)).toMatchObject({ key: KEY, userId: 'somebody' });
    expect(fromBinary(DeviceRemoveSchema, calls[1]!.payload)).toMatchObject({ key: KEY, userId: 'me' });
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
