/** Every Worker at this Hub, whosever it is. */

import { useState } from 'preact/hooks';
import type { Worker } from '../gen/leapmux/v1/workers_pb';
import { deregisterWorker, listWorkers } from '../state/administration';
import { toast } from '../state/toasts';
import { Asking } from '../ui/Asking';
import { Confirm } from '../ui/Confirm';
import { displayText, moment } from '../ui/text';
import { useList } from '../ui/useList';

export function Workers() {
  const [leaving, setLeaving] = useState<Worker>();
  const list = useList(async (after) => {
    const page = await listWorkers(after);
    return { items: page.workers, next: page.nextAfter };
  });
  return (
    <section class="settings-part stretch" aria-labelledby="workers-title">
      <h2 id="workers-title">Workers</h2>
      <p class="muted">You can take one from this Hub. Who may use it, and what is in it, is not yours to see.</p>
      <Asking of={list} />
      {list.value && list.items.length === 0 && <p class="hint">No Worker is registered.</p>}
      <ul class="records" aria-label="Workers">
        {list.items.map((worker) => (
          <li key={worker.workerId} class="record">
            <div class="record-main">
              <h3>{nameOf(worker)}<span class={`tag ${worker.online ? 'good' : ''}`}>{worker.online ? 'online' : 'offline'}</span></h3>
              <p class="hint">
                Of {displayText(worker.ownerUsername, 60) || 'nobody'}. Version {displayText(worker.version, 40) || 'unknown'}.{' '}
                {!worker.online && worker.lastSeenUnixMs > 0n && `Last seen ${moment(Number(worker.lastSeenUnixMs))}. `}<code>{worker.workerId}</code>
              </p>
            </div>
            {!worker.bundled && <div class="record-actions"><button onClick={() => setLeaving(worker)}>Deregister<span class="off-screen"> {nameOf(worker)}</span></button></div>}
          </li>
        ))}
      </ul>
      {list.more && <button onClick={() => void list.more?.()}>More</button>}
      {leaving && (
        <Confirm title={`Deregister ${nameOf(leaving)}?`} verb="Deregister" doing="Deregistering…" typed={nameOf(leaving)} onClose={() => setLeaving(undefined)}
          onConfirm={async () => {
            const heard = await deregisterWorker(leaving.workerId);
            toast(heard ? 'Deregistered; the Worker has confirmed it.' : 'Deregistered. The Worker is away and will hear of it.');
            await list.again();
          }}>
          <p>Its link and every channel to it end at once. It has to be registered anew to come back. Its machine and files stay as they are.</p>
        </Confirm>
      )}
    </section>
  );
}

function nameOf(worker: Worker): string {
  return displayText(worker.name, 60) || worker.workerId;
}
