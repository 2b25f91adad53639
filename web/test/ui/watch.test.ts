import { create, toBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ChannelStatus, ChannelThread, StreamCallbacks } from '../../src/channel/handle';
import { DeviceListRequestSchema, DeviceListSchema } from '../../src/gen/leapmux/v1/services_pb';
import { channels, useThread, watch } from '../../src/state/channels';

const streams: StreamCallbacks[] = [];
let say: (status: ChannelStatus) => void = () => undefined;
useThread(() => ({
  stream: (_worker: string, _method: string, _payload: Uint8Array, callbacks: StreamCallbacks) => {
    streams.push(callbacks);
    return { send: () => undefined, end: () => undefined, cancel: () => undefined };
  },
  onStatus: (listener: (status: ChannelStatus) => void) => { say = listener; return () => undefined; },
}) as unknown as ChannelThread);
channels();

beforeEach(() => {
  vi.useFakeTimers();
  streams.length = 0;
});
afterEach(() => vi.useRealTimers());

/** Watches a Worker of its own and counts what it hears. */
function watched(workerId: string) {
  let heard = 0;
  const start = () => watch(workerId, 'devices.watch', DeviceListRequestSchema, DeviceListSchema, () => { heard += 1; });
  say({ workerId, state: 'ready' });
  start();
  return { start, heard: () => heard };
}
const fail = (code: number) => streams.at(-1)!.onEnd({ code, message: 'x' });

describe('a watch', () => {
  it('that ends in an error is opened again while the channel stands, after a while that grows', async () => {
    const { heard } = watched('a');
    fail(13);
    await vi.advanceTimersByTimeAsync(500);
    expect(streams).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(streams).toHaveLength(2);
    fail(13);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(streams).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(streams).toHaveLength(3);
    void streams[2]!.onData(toBinary(DeviceListSchema, create(DeviceListSchema)));
    expect(heard()).toBe(1);
  });

  it('is not doubled by a channel that came back meanwhile, and is left alone without one', async () => {
    const { start } = watched('b');
    fail(14);
    start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(streams).toHaveLength(2);
    say({ workerId: 'b', state: 'reconnecting' });
    fail(14);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(streams).toHaveLength(2);
  });

  it.each([3, 7, 12])('is not tried again after code %i', async (code) => {
    watched(`c${code}`);
    fail(code);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(streams).toHaveLength(1);
  });
});
