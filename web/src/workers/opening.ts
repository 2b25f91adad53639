/** A terminal on a Worker that may have no channel yet. */

import { effect } from '@preact/signals';
import { account } from '../state/account';
import { channels, isReady, statuses } from '../state/channels';
import { go } from '../state/route';
import { openTerminal } from '../state/terminals';

/** Whoever does not get one in this time has gone on to something else. */
const PATIENCE_MS = 30_000;

export function openTerminalOn(workerId: string): void {
  const who = account.peek();
  if (who.state !== 'signed-in') return;
  go('workspace');
  channels().open(workerId, who.userId);
  const until = performance.now() + PATIENCE_MS;
  const stop = effect(() => {
    const state = statuses.value.get(workerId)?.state;
    const ready = isReady(workerId);
    const over = state === 'blocked' || state === 'closed' || performance.now() > until;
    if (!ready && !over) return;
    queueMicrotask(() => stop());
    if (ready) queueMicrotask(() => void openTerminal(workerId));
  });
}
