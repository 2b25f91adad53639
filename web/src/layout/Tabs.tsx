/** A tile's tab list: arrows to choose, drag to move, and the tile's own buttons. */

import { BellDot, Columns2, Plus, Rows2, X } from 'lucide';
import { TerminalState } from '../gen/leapmux/v1/services_pb';
import { currentWorker, requestClose } from '../state/commands';
import { isReady } from '../state/channels';
import { focusedTile, narrow, showTab, stepTab, tabParts } from '../state/layout';
import { show } from '../state/overlays';
import { lookingAt } from '../state/presence';
import { bells, clearBell, isOver, openBeside, openTerminal, summaryOf, titleOf } from '../state/terminals';
import { mayEdit } from '../state/workspaces';
import { terminalFor } from '../terminal/registry';
import { Icon } from '../ui/Icon';
import { toneOf } from '../ui/Initials';
import { dragTab } from './drag';
import { panelId, tabElementId } from './ids';
import type { Leaf } from './tree';

export function Tabs({ leaf, alone }: { leaf: Leaf; alone: boolean }) {
  const worker = currentWorker();
  const beside = (side: 'right' | 'down') => worker !== undefined && void openBeside(worker, leaf.id, side);
  const onKey = (event: KeyboardEvent) => {
    const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (by === 0 || event.shiftKey || event.ctrlKey || event.altKey) return;
    event.preventDefault();
    focusedTile.value = leaf.id;
    stepTab(by);
    requestAnimationFrame(() => document.querySelector<HTMLElement>(`[data-tile="${CSS.escape(leaf.id)}"] [aria-selected="true"]`)?.focus());
  };
  return (
    <div class="tab-strip" data-strip={leaf.id}>
      {leaf.tabs.length > 0 && (
        <div class="tabs" role="tablist" aria-label="Terminals" onKeyDown={onKey}>
          {leaf.tabs.map((tab) => <Tab key={tab} tab={tab} active={leaf.active === tab} />)}
        </div>
      )}
      <span class="tab-tools">
        {mayEdit.value && leaf.active !== null && (
          <button class="ghost small" aria-label={`Close ${titleOf(leaf.active)}`} title="Close terminal" onClick={() => leaf.active !== null && requestClose(leaf.active)}>
            <Icon of={X} size={14} />
          </button>
        )}
        {mayEdit.value && <button class="ghost small" aria-label="New terminal in this tile" title="New terminal" disabled={worker === undefined} onClick={() => worker !== undefined && void openTerminal(worker, leaf.id)}>
          <Icon of={Plus} size={15} />
        </button>}
        {mayEdit.value && !narrow.value && (!alone || leaf.tabs.length > 0) && (
          <>
            <button class="ghost small" aria-label="Split right" title="Split right" disabled={worker === undefined} onClick={() => beside('right')}>
              <Icon of={Columns2} size={14} />
            </button>
            <button class="ghost small" aria-label="Split down" title="Split down" disabled={worker === undefined} onClick={() => beside('down')}>
              <Icon of={Rows2} size={14} />
            </button>
          </>
        )}
      </span>
    </div>
  );
}

function Tab({ tab, active }: { tab: string; active: boolean }) {
  const summary = summaryOf(tab);
  const title = titleOf(tab);
  const rang = bells.value.has(tab);
  const watching = lookingAt(tab);
  const stale = !isReady(tabParts(tab).workerId);
  const state = summary?.state === TerminalState.ENDED ? 'ended' : isOver(tab) ? 'lost' : 'running';
  const choose = () => {
    showTab(tab);
    clearBell(tab);
    requestAnimationFrame(() => terminalFor(tab)?.focus());
  };
  return (
    <button role="tab" id={tabElementId(tab)} class={`tab ${state} ${stale ? 'stale' : ''}`} aria-selected={active} aria-controls={panelId(tab)}
      tabIndex={active ? 0 : -1} title={title} data-tab={tab}
      onClick={choose} onDblClick={() => mayEdit.peek() && show({ kind: 'rename', tab })}
      onAuxClick={(event) => event.button === 1 && mayEdit.peek() && requestClose(tab)}
      onKeyDown={(event) => event.key === 'Delete' && mayEdit.peek() && requestClose(tab)}
      onPointerDown={(event) => dragTab(event, tab)}>
      <span class="dot" aria-hidden="true" />
      <span class="tab-title">{title}</span>
      {rang && <span class="bell"><Icon of={BellDot} size={13} /><span class="off-screen">, bell</span></span>}
      {watching.length > 0 && <span class="watching" title={`Here: ${watching.map((one) => one.username).join(', ')}`}>{watching.slice(0, 3).map((one) => <span key={one.clientId} class={`presence tone-${toneOf(one.userId)}`} />)}<span class="off-screen">, also here: {watching.map((one) => one.username).join(', ')}</span></span>}
      {state !== 'running' && <span class="off-screen">, {state}</span>}
    </button>
  );
}
