/** The Workers, their state, and their terminals. */

import { BellDot, Lock, LockOpen, Monitor, Plus, Server } from 'lucide';
import type { Worker } from '../gen/leapmux/v1/workers_pb';
import { TerminalState, type TerminalSummary } from '../gen/leapmux/v1/services_pb';
import { channels, statuses } from '../state/channels';
import { currentTab, showTab, tabId, tree } from '../state/layout';
import { closeDrawer } from '../state/overlays';
import { reopen, reopening } from '../state/reopen';
import { go, route } from '../state/route';
import { reviewable, speak } from '../state/status';
import { bells, openTerminal, opening, showIn, sorted, terminals, titleOf } from '../state/terminals';
import { workerName } from '../state/workers';
import { mayEdit, titleOfWorkspace, workersHere, workspaceOf } from '../state/workspaces';
import { leafOf } from '../layout/tree';
import { Icon } from '../ui/Icon';
import { Switcher } from '../workspaces/Switcher';
import { RailFoot } from './RailFoot';

export function Rail() {
  const known = workersHere.value;
  return (
    <nav class="rail" aria-label="Workers" data-region="rail">
      <div class="rail-head">
        <span class="brand">LeapMux</span>
      </div>
      <Switcher />
      <div class="rail-list">
        {known === undefined && <p class="hint">Asking the Hub…</p>}
        {known?.length === 0 && <p class="hint">You have no Worker yet. <button class="link" onClick={() => go('workers', 'register')}>Register one</button></p>}
        {known?.map((worker) => <WorkerItem key={worker.workerId} worker={worker} />)}
      </div>
      <RailFoot />
    </nav>
  );
}

function WorkerItem({ worker }: { worker: Worker }) {
  const { workerId } = worker;
  const status = statuses.value.get(workerId);
  // Without the counting seconds, which the status line has.
  const state = speak(status, Infinity);
  const offline = !worker.online && state.tone !== 'good';
  const { own, elsewhere } = sorted(terminals.value.get(workerId) ?? []);
  const name = workerName(workerId);
  const ready = status?.state === 'ready';
  const again = reopening(workerId);
  return (
    <section class="worker" aria-label={name}>
      <div class="worker-head">
        <Icon of={worker.bundled ? Monitor : Server} />
        <h2 title={name}>{name}</h2>
        {ready && mayEdit.value ? (
          <button class="ghost small" aria-label={`New terminal on ${name}`} title="New terminal"
            disabled={opening.value.has(workerId)} onClick={() => void openTerminal(workerId).then(closeDrawer)}>
            <Icon of={Plus} />
          </button>
        ) : again && !ready && (status || worker.online) ? (
          <button class="ghost small" onClick={() => reopen(workerId)}>{again}<span class="off-screen"> {name}</span></button>
        ) : null}
      </div>
      <p class={`worker-state ${offline ? 'off' : state.tone}`}>
        <Icon of={state.tone === 'good' ? Lock : LockOpen} size={13} />
        <span>{offline ? 'Offline' : state.short}</span>
        {status && reviewable(status) && (
          <button class="link" onClick={() => channels().review(workerId)}>Review</button>
        )}
      </p>
      <ul class="terminal-list">
        {own.map((one) => <TerminalItem key={one.terminalId} workerId={workerId} one={one} stale={!ready} />)}
      </ul>
      {[...elsewhere].map(([workspaceId, list]) => <Elsewhere key={workspaceId} workerId={workerId} workspaceId={workspaceId} list={list} stale={!ready} />)}
    </section>
  );
}

interface ElsewhereProps {
  workerId: string;
  workspaceId: string;
  list: TerminalSummary[];
  stale: boolean;
}

/** Terminals of another workspace: they are shown there, where whoever it is shared with sees them too. */
function Elsewhere({ workerId, workspaceId, list, stale }: ElsewhereProps) {
  return (
    <details class="elsewhere">
      <summary><span class="terminal-title">{titleOfWorkspace(workspaceOf(workspaceId))}</span> <span class="hint">{list.length}</span></summary>
      <ul class="terminal-list">
        {list.map((one) => <TerminalItem key={one.terminalId} workerId={workerId} one={one} stale={stale} of={workspaceId} />)}
      </ul>
    </details>
  );
}

function TerminalItem({ workerId, one, stale, of }: { workerId: string; one: TerminalSummary; stale: boolean; of?: string }) {
  const tab = tabId(workerId, one.terminalId);
  const placed = leafOf(tree.value, tab) !== undefined;
  const current = currentTab.value === tab && route.value === 'workspace';
  const state = one.state === TerminalState.RUNNING ? 'running' : one.state === TerminalState.LOST ? 'lost' : 'ended';
  return (
    <li>
      <button class={`terminal-item ${state} ${placed ? '' : 'unplaced'} ${stale ? 'stale' : ''}`} aria-current={current ? 'true' : undefined}
        onClick={() => {
          go('workspace');
          if (of === undefined) showTab(tab);
          else showIn(of, tab);
          closeDrawer();
        }}>
        <span class="dot" aria-hidden="true" />
        <span class="terminal-title">{titleOf(tab)}</span>
        {bells.value.has(tab) && <span class="bell" title="Bell"><Icon of={BellDot} size={13} /><span class="off-screen">bell</span></span>}
        {state !== 'running' && <span class="tag">{state}</span>}
      </button>
    </li>
  );
}
