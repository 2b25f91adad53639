/** Which workspace is shown, the others, and what can be done with it. */

import { Archive, ChevronsUpDown, Eye, LayoutGrid, Pencil, Plus, RotateCcw, Send, Trash2, Users } from 'lucide';
import type { IconNode } from 'lucide';
import { useRef, useState } from 'preact/hooks';
import { Role } from '../gen/leapmux/v1/channel_pb';
import type { Workspace } from '../gen/leapmux/v1/workspaces_pb';
import { sentence } from '../hub/refusals';
import { account } from '../state/account';
import { undecided } from '../state/grants';
import { closeDrawer, show } from '../state/overlays';
import { go } from '../state/route';
import { toast } from '../state/toasts';
import { archiveWorkspace, choose, here, myWorkspaces, ownsHere, restoreWorkspace, titleOfWorkspace, workspaceHere } from '../state/workspaces';
import { Icon } from '../ui/Icon';
import { displayText } from '../ui/text';
import { Others } from './Others';

export function Switcher() {
  const menu = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState(false);
  const current = workspaceHere.value;
  const who = account.value;
  const alone = who.state === 'signed-in' && who.solo;
  if (here.value === '' || !current) return null;
  const waiting = waitingIn(here.value);
  const elsewhere = [...undecided.value.values()].flat().length > waiting;
  const close = () => menu.current?.hidePopover();
  const title = titleOfWorkspace(current);
  return (
    <div class="switcher">
      <div class="switcher-row">
        <button class="switcher-button" popovertarget="workspaces" aria-haspopup="dialog" title={title} aria-label={`Workspace: ${title}`}>
          <Icon of={LayoutGrid} size={15} /><span class="switcher-title">{title}</span>{elsewhere && <span class="dot" title="Somebody waits for you in another workspace" />}<Icon of={ChevronsUpDown} size={14} />
        </button>
        {!alone && (
          <button class="ghost small share-button" aria-label={waiting > 0 ? `Sharing: ${waiting} waiting for you` : 'Sharing'} title="Sharing" onClick={() => { closeDrawer(); show({ kind: 'sharing', workspaceId: current.workspaceId }); }}>
            <Icon of={Users} />{waiting > 0 && <span class="badge" aria-hidden="true">{waiting}</span>}
          </button>
        )}
      </div>
      {!ownsHere.value && <p class="hint switcher-role"><Icon of={current.role === Role.VIEWER ? Eye : Pencil} size={13} /> {ROLE[current.role]} of {displayText(current.ownerUsername, 30)}’s workspace</p>}
      <Others />
      <div ref={menu} id="workspaces" popover="auto" class="workspace-menu" role="dialog" aria-label="Workspaces" onToggle={(event) => setOpen(event.newState === 'open')}>
        {open && <Menu current={current} alone={alone} close={close} />}
      </div>
    </div>
  );
}

/** People for whom only this person can decide. */
function waitingIn(workspaceId: string): number {
  return [...undecided.value.values()].flat().filter((one) => one.workspaceId === workspaceId).length;
}

const ROLE: Record<Role, string> = { [Role.UNSPECIFIED]: 'Guest', [Role.VIEWER]: 'Viewer', [Role.EDITOR]: 'Editor', [Role.OWNER]: 'Owner' };

function Menu({ current, alone, close }: { current: Workspace; alone: boolean; close: () => void }) {
  const all = myWorkspaces.value.toSorted((a, b) => Number(a.createdUnixMs - b.createdUnixMs));
  const active = all.filter((one) => one.archivedUnixMs === 0n);
  const [mine, shared] = [active.filter((one) => one.role === Role.OWNER), active.filter((one) => one.role !== Role.OWNER)];
  const archived = all.filter((one) => one.archivedUnixMs > 0n);
  const pick = (one: Workspace) => {
    choose(one.workspaceId);
    go('workspace');
    close();
    closeDrawer();
  };
  const ask = (kind: 'new-workspace' | 'rename-workspace' | 'transfer-workspace' | 'delete-workspace') => {
    close();
    closeDrawer();
    show({ kind, workspaceId: current.workspaceId });
  };
  const owner = current.role === Role.OWNER;
  return (
    <>
      <List name="Yours" of={mine} pick={pick} />
      {shared.length > 0 && <List name="Shared with you" of={shared} pick={pick} />}
      {archived.length > 0 && (
        <details class="menu-part">
          <summary>Archived ({archived.length})</summary>
          <ul>{archived.map((one) => <Archived key={one.workspaceId} one={one} />)}</ul>
        </details>
      )}
      <div class="menu-part menu-actions">
        <Action icon={Plus} name="New workspace…" act={() => ask('new-workspace')} />
        {owner && <Action icon={Pencil} name="Rename…" act={() => ask('rename-workspace')} />}
        {owner && active.length > 1 && <Action icon={Archive} name="Archive" act={() => { close(); void tell(archiveWorkspace(current.workspaceId), 'Archived. Its layout is kept.'); }} />}
        {owner && !alone && <Action icon={Send} name="Transfer…" act={() => ask('transfer-workspace')} />}
        {owner && mine.length > 1 && <Action icon={Trash2} name="Delete…" act={() => ask('delete-workspace')} />}
      </div>
    </>
  );
}

function List({ name, of, pick }: { name: string; of: Workspace[]; pick: (one: Workspace) => void }) {
  return (
    <div class="menu-part">
      <h3>{name}</h3>
      <ul>
        {of.map((one) => (
          <li key={one.workspaceId}>
            <button class="menu-item" aria-current={one.workspaceId === here.value ? 'true' : undefined} onClick={() => pick(one)}>
              <span class="menu-title">{titleOfWorkspace(one)}</span>
              {waitingIn(one.workspaceId) > 0 && <span class="tag warn">{waitingIn(one.workspaceId)} waiting</span>}
              {one.role !== Role.OWNER && <span class="hint">{displayText(one.ownerUsername, 20)}</span>}
              {one.role !== Role.OWNER && <span class="tag">{ROLE[one.role].toLowerCase()}</span>}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Archived({ one }: { one: Workspace }) {
  const title = titleOfWorkspace(one);
  return (
    <li class="menu-archived">
      <span class="menu-title muted">{title}</span>
      {one.role === Role.OWNER && <button class="ghost small" aria-label={`Restore ${title}`} title="Restore" onClick={() => void tell(restoreWorkspace(one.workspaceId), 'Restored.')}><Icon of={RotateCcw} size={14} /></button>}
      {one.role === Role.OWNER && <button class="ghost small" aria-label={`Delete ${title}`} title="Delete" onClick={() => show({ kind: 'delete-workspace', workspaceId: one.workspaceId })}><Icon of={Trash2} size={14} /></button>}
    </li>
  );
}

function Action({ icon, name, act }: { icon: IconNode; name: string; act: () => void }) {
  return <button class="menu-item" onClick={act}><Icon of={icon} size={15} /><span class="menu-title">{name}</span></button>;
}

async function tell(order: Promise<void>, done: string): Promise<void> {
  await order.then(() => toast(done), (error: unknown) => toast(sentence(error), 'danger'));
}
