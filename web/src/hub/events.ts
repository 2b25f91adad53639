/** The Hub's events: Workers that came, went or changed. Resumes by cursor, reconnects by itself. */

import { fromJsonString } from '@bufbuild/protobuf';
import { HubEventSchema, type HubEvent } from '../gen/leapmux/v1/events_pb';
import { retryDelayMs } from './retry';

export interface EventListener {
  onEvent(event: HubEvent): void;
  /** Events may have been missed: read everything again. */
  onResync(): void;
  /** It could not be opened. The browser does not say why: the network, or a sign-in that is over. */
  onRefused(): void;
  /** The login that it stood with is over; it does not come back by itself. */
  onRevoked(): void;
}

/** RFC 6455, 7.4.1; the reason says which policy. */
const POLICY = 1008;
const CONNECT_TIMEOUT_MS = 10_000;
/** Only a socket that stood for so long counts as one that works. */
const STEADY_MS = 30_000;

/** Starts listening; the returned function stops it. */
export function listenToHub(listener: EventListener): () => void {
  let cursor = 0n;
  let attempt = 0;
  let stopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let socket: WebSocket | undefined;

  function connect(): void {
    const made = new WebSocket(address(cursor));
    let opened = false;
    let clock = setTimeout(() => made.close(), CONNECT_TIMEOUT_MS);
    socket = made;
    socket.onopen = () => {
      opened = true;
      clearTimeout(clock);
      clock = setTimeout(() => { attempt = 0; }, STEADY_MS);
      if (attempt > 0) listener.onResync();
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === 'string') receive(data);
    };
    socket.onclose = (event) => {
      clearTimeout(clock);
      if (stopped) return;
      if (event?.code === POLICY && event.reason === 'revoked') {
        stopped = true;
        return listener.onRevoked();
      }
      timer = setTimeout(connect, retryDelayMs(attempt++, Math.random()));
      if (!opened) listener.onRefused();
    };
  }

  function receive(text: string): void {
    let event: HubEvent;
    try {
      event = fromJsonString(HubEventSchema, text, { ignoreUnknownFields: true });
    } catch {
      return;
    }
    cursor = event.cursor;
    if (event.body.case === 'resync') listener.onResync();
    else listener.onEvent(event);
  }

  connect();
  return () => {
    stopped = true;
    clearTimeout(timer);
    socket?.close();
  };
}

function address(cursor: bigint): string {
  const url = new URL('/ws/events', location.href);
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  if (cursor > 0n) url.searchParams.set('cursor', cursor.toString());
  return url.href;
}
