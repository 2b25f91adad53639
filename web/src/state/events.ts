/** The Hub's events, for whoever follows something. */

import type { HubEvent } from '../gen/leapmux/v1/events_pb';
import { listenToHub } from '../hub/events';
import { ended, onSignedOut, recheck } from './account';

export type HubNews = HubEvent['body'];

const listeners = new Set<(news: HubNews) => void>();
const readers = new Set<() => void>();

export function onNews(listener: (news: HubNews) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Hears that news may have been missed: what is followed has to be read again. */
export function onMissed(read: () => void): () => void {
  readers.add(read);
  return () => readers.delete(read);
}

export function followHub(): void {
  const stop = listenToHub({
    onResync: () => readers.forEach((read) => read()),
    onRefused: () => void recheck(),
    onRevoked: ended,
    onEvent: ({ body }) => tell(body),
  });
  onSignedOut(stop);
}

/** One that fails keeps the others from nothing. */
export function tell(news: HubNews): void {
  for (const listener of listeners) {
    try {
      listener(news);
    } catch (error) {
      console.error(error);
    }
  }
}
