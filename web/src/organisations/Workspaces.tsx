/** All workspaces of an organisation, for those who lead it: they keep order in them, and see none of what is in them. */

import { Role } from '../gen/leapmux/v1/channel_pb';
import type { Organisation } from '../gen/leapmux/v1/organisations_pb';
import type { Workspace } from '../gen/leapmux/v1/workspaces_pb';
import { sentence } from '../hub/refusals';
import { show } from '../state/overlays';
import { toast } from '../state/toasts';
import { archiveWorkspace, restoreWorkspace, titleOfWorkspace, workspaces } from '../state/workspaces';
import { Menu, type Item } from '../ui/Menu';
import { day, displayText } from '../ui/text';

export function Workspaces({ one }: { one: Organisation }) {
  const all = (workspaces.value ?? []).filter(({ organisationId }) => organisationId === one.organisationId)
    .toSorted((a, b) => Number(a.createdUnixMs - b.createdUnixMs));
  return (
    <section class="settings-part stretch" aria-labelledby="workspaces-title">
      <h2 id="workspaces-title">Workspaces</h2>
      <p class="muted">You may name, archive, hand over and delete them. Their terminals only those see with whom they are shared.</p>
      {all.length === 0 && <p class="hint">There is none yet.</p>}
      <ul class="records" aria-label="Workspaces of the organisation">
        {all.map((each) => <WorkspaceRecord key={each.workspaceId} one={each} />)}
      </ul>
    </section>
  );
}

function WorkspaceRecord({ one }: { one: Workspace }) {
  const title = titleOfWorkspace(one);
  return (
    <li class="record">
      <div class="record-main">
        <h3>{title}{one.archivedUnixMs > 0n && <span class="tag">archived</span>}{one.role === Role.OWNER && <span class="tag good">yours</span>}</h3>
        <p class="hint">Of {displayText(one.ownerUsername, 40)}, since {day(Number(one.createdUnixMs))}.</p>
      </div>
      <div class="record-actions"><Menu of={title} items={ordersFor(one)} /></div>
    </li>
  );
}

function ordersFor({ workspaceId, archivedUnixMs }: Workspace): Item[] {
  const ask = (kind: 'rename-workspace' | 'transfer-workspace' | 'delete-workspace') => () => show({ kind, workspaceId });
  return [
    { name: 'Rename…', run: ask('rename-workspace') },
    archivedUnixMs > 0n
      ? { name: 'Restore', run: () => void tell(restoreWorkspace(workspaceId), 'Restored.') }
      : { name: 'Archive', run: () => void tell(archiveWorkspace(workspaceId), 'Archived. Its layout is kept.') },
    { name: 'Transfer…', run: ask('transfer-workspace') },
    { name: 'Delete…', danger: true, run: ask('delete-workspace') },
  ];
}

async function tell(order: Promise<void>, done: string): Promise<void> {
  await order.then(() => toast(done), (error: unknown) => toast(sentence(error), 'danger'));
}
