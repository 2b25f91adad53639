/** The Hub's events: Workers that came, went or changed. Resumes by cursor, reconnects by itself. */

import { fromJsonString } from '@bufbuild/protobuf';
import { HubEventSchema, type HubEvent } from '../gen/leapmux/v1/hub_pb';
import { retryDelayMs } from './retry';

export interface EventListener {
  onEvent(event: HubEvent): void;
  /** Events may have been missed: read everything again. */
  onResync(): void;
}

/** Starts listening; the returned function stops it. */
export function listenToHub(listener: EventListener): () => void {
  let cursor = 0n;
  let attempt = 0;
  let stopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let socket: WebSocket | undefined;

  function connect(): void {
    socket = new WebSocket(address(cursor));
    socket.onopen = () => {
      if (attempt > 0) listener.onResync();
      attempt = 0;
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === 'string') receive(data);
    };
    socket.onclose = () => {
      if (!stopped) timer = setTimeout(connect, retryDelayMs(attempt++, Math.random()));
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
