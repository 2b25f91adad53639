/** A terminal on a Worker that may have no channel yet. */

import { effect } from '@preact/signals';
import { Role } from '../gen/leapmux/v1/channel_pb';
import type { Workspace } from '../gen/leapmux/v1/workspaces_pb';
import { account } from '../state/account';
import { channels, isReady, statuses } from '../state/channels';
import { allTabs } from '../layout/tree';
import { drawn, showTab, tabParts } from '../state/layout';
import { go } from '../state/route';
import { openTerminal } from '../state/terminals';
import { toast } from '../state/toasts';
import { isMine, workerOf } from '../state/workers';
import { choose, isHere, mayEdit, workspaces } from '../state/workspaces';

function show(workerId: string, orShow: boolean): void {
  const placed = orShow ? allTabs(drawn.peek()).find((tab) => tabParts(tab).workerId === workerId) : undefined;
  if (placed !== undefined) showTab(placed);
  else void openTerminal(workerId);
}

/** Shows a workspace in which the Worker can be used, if this one is none. */
function findPlace(workerId: string): boolean {
  const worker = workerOf(workerId);
  if (!worker) return false;
  if (isHere(worker)) return true;
  const fits = (one: Workspace) => one.archivedUnixMs === 0n && (isMine(worker) ? one.role === Role.OWNER : worker.workspaceIds.includes(one.workspaceId));
  const place = workspaces.peek()?.find(fits);
  if (place) choose(place.workspaceId);
  else toast('No workspace of yours has this Worker in it.');
  return place !== undefined;
}

/** Whoever does not get one in this time has gone on to something else. */
const PATIENCE_MS = 30_000;

/** `orShow`: one that opened by itself when the Worker came will do. */
export function openTerminalOn(workerId: string, orShow = false): void {
  const who = account.peek();
  if (who.state !== 'signed-in') return;
  if (!findPlace(workerId)) return;
  go('workspace');
  channels().open(workerId, who.userId);
  const until = performance.now() + PATIENCE_MS;
  const stop = effect(() => {
    const state = statuses.value.get(workerId)?.state;
    const ready = isReady(workerId);
    const over = state === 'blocked' || state === 'closed' || performance.now() > until;
    if (!ready && !over) return;
    queueMicrotask(() => stop());
    if (ready && mayEdit.peek()) queueMicrotask(() => show(workerId, orShow));
  });
}
