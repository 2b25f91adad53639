/** What happens once, when a person is signed in: follow everything, open channels early. */

import { computed, effect } from '@preact/signals';
import { allTabs } from '../layout/tree';
import { Growing } from '../hub/retry';
import { account, onSignedOut, recheck } from './account';
import { channels, closeChannels, forgetChannel, statuses } from './channels';
import { followDevices } from './devices';
import { followHub, onNews } from './events';
import { doubtsSignIn } from './status';
import { bellCount, clearBell, followTerminals, titleOf } from './terminals';
import { followLayout } from './documents';
import { currentTab, drawn, followWidth, tabParts, visibleTabs } from './layout';
import { followGrants } from './grants';
import { followOrganisations } from './organisations';
import { followOwnDevice } from './own-device';
import { followPresence } from './presence';
import { followWorkers } from './workers';
import { followWorkspaces, workersHere } from './workspaces';

let started = false;

export function startWorkspace(userId: string): void {
  if (started) return;
  started = true;
  // Early, so that both load while the Hub is asked for the Workers.
  channels();
  void import('../terminal/view').catch(() => undefined);
  const workspaces = followWorkspaces(userId);
  followWidth();
  followLayout(userId);
  followTerminals();
  followDevices();
  openChannelsEarly(userId);
  followTitle();
  followRefusals(userId);
  onNews((news) => {
    if (news.case === 'workerGone') forgetChannel(news.value.workerId);
    // It may be that somebody has just been let in: there is no need to wait for the next try.
    if (news.case === 'workerChanged' && waitsAt(news.value.worker?.workerId)) channels().review(news.value.worker!.workerId);
  });
  onSignedOut(closeChannels);
  void workspaces;
  void followWorkers();
  void followOrganisations();
  followGrants();
  followPresence();
  followOwnDevice();
  followHub();
}

/**
 * One channel for each Worker that has a tab, and one for the first Worker when there is no tab:
 * a handshake costs the Worker a signature, so the others wait until they are asked for.
 */
function openChannelsEarly(userId: string): void {
  const asked = new Set<string>();
  effect(() => {
    const known = workersHere.value;
    if (!known) return;
    const wanted = new Set(allTabs(drawn.value).map((tab) => tabParts(tab).workerId));
    const first = known.find((worker) => worker.online) ?? known[0];
    if (wanted.size === 0 && first) wanted.add(first.workerId);
    const here = new Set(known.map((worker) => worker.workerId));
    for (const id of asked) if (!here.has(id)) asked.delete(id);
    for (const { workerId } of known) {
      if (!wanted.has(workerId) || asked.has(workerId)) continue;
      asked.add(workerId);
      channels().open(workerId, userId);
    }
  });
}

/** Each time that a channel ends because of the sign-in, the Hub is asked whether it still stands. */
function followRefusals(userId: string): void {
  const again = new Growing();
  const doubtful = computed(() => [...statuses.value.values()].some(doubtsSignIn));
  effect(() => {
    if (doubtful.value) void recheck().then(() => setTimeout(() => comeBack(userId), again.next(performance.now(), Math.random())));
  });
}

function waitsAt(workerId: string | undefined): boolean {
  return statuses.peek().get(workerId ?? '')?.reason === 'device_not_trusted';
}

/** The login stands, so it was the access that changed: with what is left of it the channel may stand again. */
function comeBack(userId: string): void {
  if (account.peek().state !== 'signed-in') return;
  const usable = new Set(workersHere.peek()?.map((worker) => worker.workerId));
  for (const { workerId, state, reason } of statuses.peek().values()) {
    if (state === 'closed' && reason === 'revoked' && usable.has(workerId)) channels().open(workerId, userId);
  }
}

function followTitle(): void {
  effect(() => {
    const bells = bellCount.value > 0 ? `(${bellCount.value}) ` : '';
    const tab = currentTab.value;
    document.title = tab === null ? `${bells}LeapMux` : `${bells}${titleOf(tab)} - LeapMux`;
  });
  const seen = () => {
    if (document.visibilityState === 'visible') visibleTabs.peek().forEach((tab) => tab && clearBell(tab));
  };
  addEventListener('focus', seen);
  document.addEventListener('visibilitychange', seen);
}
