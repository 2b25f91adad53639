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
import { Growing } from '../hub/retry';
import type { ChannelStatus, ChannelStream, ChannelThread } from '../channel/handle';
import { here } from './workspaces';

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

/** Nobody is signed in any more: no channel stays, and none is opened again. */
export function closeChannels(): void {
  for (const workerId of statuses.peek().keys()) thread?.close(workerId);
}

function take(status: ChannelStatus): void {
  const before = statuses.peek().get(status.workerId)?.state;
  statuses.value = new Map(statuses.peek()).set(status.workerId, status);
  if (status.state === 'ready' && before !== 'ready') {
    readyListeners.forEach((listener) => listener(status.workerId));
  }
}

/** A Worker that is no longer the person's to see has no channel either. */
export function forgetChannel(workerId: string): void {
  if (!statuses.peek().has(workerId)) return;
  channels().close(workerId);
  statuses.value = new Map([...statuses.peek()].filter(([id]) => id !== workerId));
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
  return fromBinary(output, await channels().call(workerId, method, payload, here.peek()));
}

/** Errors that another attempt would only repeat: a wrong request, one that is not allowed, a method that is not there. */
const FINAL_CODES = new Set([3, 7, 12]);

/** What is watched already: a stream outlives a path that is lost and comes back. */
const watched = new Map<string, ChannelStream>();

/**
 * A stream that only speaks: each message is handed on, decoded. One that still stands is kept; one that
 * ends in an error while the channel stands is opened again.
 */
export function watch<I extends DescMessage, O extends DescMessage>(
  workerId: string,
  method: string,
  input: I,
  output: O,
  onMessage: (message: MessageShape<O>) => void,
  again = new Growing(),
  inWorkspace = here.peek(),
): void {
  const name = `${workerId} ${method} ${inWorkspace}`;
  if (watched.has(name)) return;
  const payload = toBinary(input, create(input));
  const stream = channels().stream(workerId, method, payload, {
    onData: (data) => onMessage(fromBinary(output, data)),
    onEnd: (error) => {
      if (watched.get(name) !== stream) return;
      watched.delete(name);
      if (!error || FINAL_CODES.has(error.code) || !isReady(workerId)) return;
      setTimeout(() => {
        if (isReady(workerId)) watch(workerId, method, input, output, onMessage, again, inWorkspace);
      }, again.next(performance.now(), Math.random()));
    },
  }, inWorkspace);
  watched.set(name, stream);
}

/** What was heard in one workspace is not what is wanted in another. */
export function unwatch(method: string, inWorkspace: string): void {
  for (const [name, stream] of [...watched]) {
    if (!name.endsWith(` ${method} ${inWorkspace}`)) continue;
    watched.delete(name);
    stream.cancel();
  }
}
