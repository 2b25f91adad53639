/** Which Workers the people of a workspace reach in it. */

import { useState } from 'preact/hooks';
import type { Worker } from '../gen/leapmux/v1/workers_pb';
import { sentence } from '../hub/refusals';
import { attach } from '../state/attaching';
import { toast } from '../state/toasts';
import { isMine, readWorkers, workerName, workers } from '../state/workers';
import { detachWorker, workspaceOf } from '../state/workspaces';
import { displayText } from '../ui/text';

export function HostingWorkers({ workspaceId }: { workspaceId: string }) {
  const attached = new Set(workspaceOf(workspaceId)?.workerIds);
  const mine = workers.value?.filter((one) => isMine(one)) ?? [];
  const others = workers.value?.filter((one) => !isMine(one) && attached.has(one.workerId)) ?? [];
  return (
    <section class="sharing-part" aria-labelledby="sharing-workers">
      <h3 id="sharing-workers">Workers in it</h3>
      {mine.length === 0 && others.length === 0 && <p class="hint">You have no Worker yet.</p>}
      <ul class="hosting">
        {mine.map((one) => <Mine key={one.workerId} workspaceId={workspaceId} one={one} on={attached.has(one.workerId)} />)}
        {others.map((one) => <li key={one.workerId} class="muted">{workerName(one.workerId)} of {displayText(one.ownerUsername, 40)}</li>)}
      </ul>
    </section>
  );
}

function Mine({ workspaceId, one, on }: { workspaceId: string; one: Worker; on: boolean }) {
  const [busy, setBusy] = useState(false);
  const turn = async () => {
    setBusy(true);
    try {
      if (on) await detachWorker(workspaceId, one.workerId).then(readWorkers);
      else await attach(workspaceId, one.workerId);
    } catch (error) {
      toast(sentence(error), 'danger');
    }
    setBusy(false);
  };
  return (
    <li>
      <label class="check">
        <input type="checkbox" checked={on} disabled={busy} onChange={() => void turn()} />
        <span>{workerName(one.workerId)} <span class="hint">{on ? 'Its terminals of this workspace are reached by those whom you have certified.' : 'Only you reach it.'}</span></span>
      </label>
    </li>
  );
}
