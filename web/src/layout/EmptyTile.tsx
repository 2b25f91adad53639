/** What a tile without a tab says: what to do, or why nothing can be done yet. */

import { Plus, X } from 'lucide';
import { currentWorker } from '../state/commands';
import { closeTile } from '../state/layout';
import { go } from '../state/route';
import { show } from '../state/overlays';
import { openTerminal, opening } from '../state/terminals';
import { workers } from '../state/workers';
import { mayEdit, workersHere } from '../state/workspaces';
import { WorkerNotice } from '../screens/WorkerNotice';
import { Icon } from '../ui/Icon';
import { Keys } from '../ui/Keys';

export function EmptyTile({ leafId, alone }: { leafId: string; alone: boolean }) {
  const worker = currentWorker();
  if (worker === undefined) {
    const first = workersHere.value?.[0]?.workerId;
    return <div class="empty-tile">{first ? <WorkerNotice workerId={preferred() ?? first} /> : <NoWorker />}</div>;
  }
  if (!mayEdit.value) {
    return (
      <div class="empty-tile">
        <div class="notice-block">
          <h2>Nothing is open here</h2>
          <p>You see terminals of this workspace as soon as somebody opens one. You may look at them, and not type.</p>
        </div>
      </div>
    );
  }
  const busy = opening.value.has(worker);
  return (
    <div class="empty-tile">
      <div class="empty-actions">
        <button class="primary" disabled={busy} onClick={() => void openTerminal(worker, leafId)}>
          <Icon of={Plus} /> {busy ? 'Opening…' : 'New terminal'}
        </button>
        {!alone && <button onClick={() => closeTile(leafId)}><Icon of={X} /> Close tile</button>}
      </div>
      <ul class="empty-keys">
        <li>New terminal <Keys text="Mod+Shift+Enter" /></li>
        <li><button class="link" onClick={() => show({ kind: 'palette' })}>All commands</button> <Keys text="Mod+Shift+K" /></li>
      </ul>
    </div>
  );
}

/** The Worker that has something to say: an online one before the others. */
function preferred(): string | undefined {
  return workersHere.value?.find((worker) => worker.online)?.workerId;
}

function NoWorker() {
  return workers.value === undefined ? (
    <p class="muted" role="status">Asking the Hub for your Workers…</p>
  ) : (
    <div class="notice-block">
      <h2>No Worker yet</h2>
      <p>A Worker is a machine that you reach from here. Register one, and it appears by itself.</p>
      {mayEdit.value && <button class="primary" onClick={() => go('workers', 'register')}>Register a Worker</button>}
    </div>
  );
}
