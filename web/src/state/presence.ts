/** Who else is in the workspace that is shown, and where. Told live, kept nowhere. */

import { computed, effect, signal, untracked } from '@preact/signals';
import { AnnouncePresenceRequestSchema, AnnouncePresenceResponseSchema } from '../gen/leapmux/v1/workspaces_pb';
import type { PresenceChanged } from '../gen/leapmux/v1/events_pb';
import { lastWord, rpc } from '../hub/rpc';
import { displayText } from '../ui/text';
import { onSignedOut } from './account';
import { onNews } from './events';
import { currentTab, tabParts, type TabId } from './layout';
import { here } from './workspaces';

export interface Presence {
  clientId: string;
  userId: string;
  username: string;
  /** A terminal's id, which is nobody else's at any Worker; empty = none. */
  focus: string;
  heardAt: number;
}

const EVERY_MS = 20_000;
/** Whoever is not heard for so long has gone without a word. */
const LASTS_MS = 45_000;
const MOST = 64;
const SETTLES_MS = 400;

const clientId = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('');

export const others = signal<readonly Presence[]>([]);

/** One of each person, whoever has most screens open. */
export const people = computed(() => [...new Map(others.value.map((one) => [one.userId, one])).values()]);

export function lookingAt(tab: TabId): Presence[] {
  return others.value.filter((one) => one.focus === tabParts(tab).terminalId);
}

export function followPresence(): void {
  let announced = '';
  let settling: ReturnType<typeof setTimeout> | undefined;
  const say = () => {
    if (document.visibilityState !== 'visible' || here.peek() === '') return;
    announced = here.peek();
    void rpc('WorkspaceService/AnnouncePresence', AnnouncePresenceRequestSchema, of(announced, false), AnnouncePresenceResponseSchema).catch(() => undefined);
  };
  const leave = () => {
    if (announced !== '') lastWord('WorkspaceService/AnnouncePresence', AnnouncePresenceRequestSchema, of(announced, true));
    announced = '';
  };
  const timer = setInterval(() => {
    say();
    others.value = others.peek().filter((one) => performance.now() - one.heardAt < LASTS_MS);
  }, EVERY_MS);
  effect(() => {
    const workspaceId = here.value;
    void currentTab.value;
    untracked(() => {
      if (workspaceId !== announced) {
        leave();
        others.value = [];
      }
      clearTimeout(settling);
      settling = setTimeout(say, SETTLES_MS);
    });
  });
  document.addEventListener('visibilitychange', () => (document.visibilityState === 'visible' ? say() : leave()));
  addEventListener('pagehide', leave);
  onNews((news) => {
    if (news.case === 'presenceChanged') hear(news.value);
  });
  onSignedOut(() => {
    clearInterval(timer);
    others.value = [];
  });
}

function of(workspaceId: string, leaving: boolean) {
  const tab = leaving ? null : currentTab.peek();
  return { workspaceId, clientId, focus: tab === null ? '' : tabParts(tab).terminalId, leaving };
}

export function hear(news: PresenceChanged): void {
  if (news.workspaceId !== here.peek() || news.clientId === clientId) return;
  const rest = others.peek().filter((one) => one.clientId !== news.clientId);
  const { clientId: other, userId, focus } = news;
  const heard = { clientId: other, userId, username: displayText(news.username, 40), focus, heardAt: performance.now() };
  others.value = news.left ? rest : [...rest, heard].slice(-MOST);
}
