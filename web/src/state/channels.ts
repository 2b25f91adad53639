/** The channel thread and what it last said about each Worker. */

import { signal } from '@preact/signals';
import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import type { ChannelStatus, ChannelStream, ChannelThread } from '../channel/handle';

export const statuses = signal<ReadonlyMap<string, ChannelStatus>>(new Map());

let thread: ChannelThread | undefined;
let start: (() => ChannelThread) | undefined;
const readyListeners = new Set<(workerId: string) => void>();

/** Says how the thread is started, once, at boot. A page that nobody signs in to needs none. */
export function useThread(starter: () => ChannelThread): void {
  start = starter;
}

export function channels(): ChannelThread {
  if (!thread) {
    if (!start) throw new Error('nothing can start the channel thread');
    thread = start();
    thread.onStatus(take);
  }
  return thread;
}

function take(status: ChannelStatus): void {
  const before = statuses.peek().get(status.workerId)?.state;
  statuses.value = new Map(statuses.peek()).set(status.workerId, status);
  if (status.state === 'ready' && before !== 'ready') {
    readyListeners.forEach((listener) => listener(status.workerId));
  }
}

/** Hears each time that a Worker's channel has become usable. */
export function onReady(listener: (workerId: string) => void): () => void {
  readyListeners.add(listener);
  return () => readyListeners.delete(listener);
}

export function isReady(workerId: string): boolean {
  return statuses.value.get(workerId)?.state === 'ready';
}

export async function call<I extends DescMessage, O extends DescMessage>(
  workerId: string,
  method: string,
  input: I,
  init: MessageInitShape<I>,
  output: O,
): Promise<MessageShape<O>> {
  const payload = toBinary(input, create(input, init));
  return fromBinary(output, await channels().call(workerId, method, payload));
}

/** What is watched already: a stream outlives a path that is lost and comes back. */
const watched = new Map<string, ChannelStream>();

/** A stream that only speaks: each message is handed on, decoded. One that still stands is kept. */
export function watch<I extends DescMessage, O extends DescMessage>(
  workerId: string,
  method: string,
  input: I,
  output: O,
  onMessage: (message: MessageShape<O>) => void,
): ChannelStream {
  const name = `${workerId} ${method}`;
  const standing = watched.get(name);
  if (standing) return standing;
  const payload = toBinary(input, create(input));
  const stream = channels().stream(workerId, method, payload, {
    onData: (data) => onMessage(fromBinary(output, data)),
    onEnd: () => watched.delete(name),
  });
  watched.set(name, stream);
  return stream;
}
