/** Who may look and who may type in a workspace, whether their certificates stand, and which Workers it uses. */

import { Users } from 'lucide';
import { useEffect, useId, useState } from 'preact/hooks';
import { Role } from '../gen/leapmux/v1/channel_pb';
import type { Member } from '../gen/leapmux/v1/organisations_pb';
import type { Share } from '../gen/leapmux/v1/workspaces_pb';
import { sentence } from '../hub/refusals';
import { account } from '../state/account';
import { grantees, tend } from '../state/grants';
import { listMembers, organisationName, organisationOf } from '../state/organisations';
import { dismiss } from '../state/overlays';
import { go } from '../state/route';
import { listShares, ownHosts, share, unshare, whomOf, type Whom } from '../state/sharing';
import { toast } from '../state/toasts';
import { titleOfWorkspace, workspaceOf } from '../state/workspaces';
import { Asking } from '../ui/Asking';
import { Dialog } from '../ui/Dialog';
import { Form } from '../ui/Form';
import { Icon } from '../ui/Icon';
import { Initials } from '../ui/Initials';
import { displayText } from '../ui/text';
import { useAsked, type Asked } from '../ui/useAsked';
import { Certificates } from './Certificates';
import { HostingWorkers } from './HostingWorkers';

export const SHARE_ROLES: [Role, string][] = [[Role.VIEWER, 'Viewer: looks'], [Role.EDITOR, 'Editor: types']];

export function SharingDialog({ workspaceId }: { workspaceId: string }) {
  const workspace = workspaceOf(workspaceId);
  const organisation = organisationOf(workspace?.organisationId ?? '');
  const owner = workspace?.role === Role.OWNER;
  const shares = useAsked(() => (owner ? listShares(workspaceId) : Promise.resolve<Share[]>([])), [grantees.value]);
  useEffect(() => {
    ownHosts(workspaceId).forEach((workerId) => void tend(workerId).catch(() => undefined));
  }, [workspaceId]);
  if (!workspace) return null;
  return (
    <Dialog title={`Sharing of ${titleOfWorkspace(workspace)}`} kind="middle" onClose={dismiss}>
      {owner && organisation?.personal && <Personal />}
      {owner && organisation?.personal !== true && (
        <section class="sharing-part" aria-labelledby="sharing-people">
          <h3 id="sharing-people">People</h3>
          <Asking of={shares} />
          {shares.value?.length === 0 && <p class="hint">With nobody yet.</p>}
          <ul class="records" aria-label="Shared with">
            {shares.value?.map((one) => <ShareRecord key={keyOf(one)} workspaceId={workspaceId} one={one} shares={shares} />)}
          </ul>
          <Add workspaceId={workspaceId} organisationId={workspace.organisationId} shares={shares} />
        </section>
      )}
      {!owner && <p class="muted">{displayText(workspace.ownerUsername, 40)} decides with whom it is shared. You decide which of your Workers can be reached in it{workspace.role === Role.VIEWER ? ' once you are an editor' : ''}.</p>}
      {workspace.role >= Role.EDITOR && <HostingWorkers workspaceId={workspaceId} />}
      {!owner && <Certificates workspaceId={workspaceId} whom="everybody" named />}
      <div class="actions"><button class="primary" onClick={dismiss}>Done</button></div>
    </Dialog>
  );
}

function Personal() {
  return (
    <p class="notice">
      This workspace is in your personal organisation, where you are alone. To share, make a workspace in{' '}
      <button class="link" onClick={() => { dismiss(); go('organisations'); }}>an organisation of several people</button>.
    </p>
  );
}

function keyOf(one: Share): string {
  const whom = whomOf(one);
  return whom === 'everybody' ? 'everybody' : whom.userId;
}

function ShareRecord({ workspaceId, one, shares }: { workspaceId: string; one: Share; shares: Asked<Share[]> }) {
  const [busy, setBusy] = useState(false);
  const whom = whomOf(one);
  const workspace = workspaceOf(workspaceId);
  const name = whom === 'everybody' ? `Everybody in ${organisationName(workspace?.organisationId ?? '')}` : displayText(one.username, 40);
  const act = async (order: () => Promise<void>, done: string) => {
    setBusy(true);
    await order().then(() => toast(done), (error: unknown) => toast(sentence(error), 'danger'));
    setBusy(false);
    await shares.again();
  };
  return (
    <li class="record person">
      {whom === 'everybody' ? <span class="initials tone-0"><Icon of={Users} size={15} /></span> : <Initials name={name} seed={whom.userId} />}
      <div class="record-main">
        <h4>{name}</h4>
        <Certificates workspaceId={workspaceId} whom={whom} />
      </div>
      <div class="record-actions">
        <select aria-label={`Role of ${name}`} disabled={busy} value={one.role}
          onChange={(event) => { const role: Role = Number(event.currentTarget.value); void act(() => share(workspaceId, whom, role), 'Changed.'); }}>
          {SHARE_ROLES.map(([role, label]) => <option key={role} value={role}>{label}</option>)}
        </select>
        <button disabled={busy} onClick={() => void act(() => unshare(workspaceId, whom), 'Withdrawn. What they had open has closed.')}>Withdraw<span class="off-screen"> from {name}</span></button>
      </div>
    </li>
  );
}

function Add({ workspaceId, organisationId, shares }: { workspaceId: string; organisationId: string; shares: Asked<Share[]> }) {
  const members = useAsked(() => listMembers(organisationId), [organisationId]);
  const [to, setTo] = useState('');
  const [role, setRole] = useState<Role>(Role.VIEWER);
  const [who, may] = [useId(), useId()];
  const me = account.value;
  const known = new Set(shares.value?.map(keyOf));
  const left = members.value?.filter((one: Member) => !known.has(one.userId) && (me.state !== 'signed-in' || one.userId !== me.userId));
  if (members.problem !== undefined) return <Asking of={members} />;
  if (left?.length === 0 && known.has('everybody')) return <p class="hint">Everybody who could be chosen is here.</p>;
  return (
    <Form verb="Share" doing="Sharing…" wide check={() => (to === '' ? 'Choose a person.' : undefined)}
      onSubmit={async () => {
        const whom: Whom = to === 'everybody' ? 'everybody' : { userId: to };
        await share(workspaceId, whom, role);
        setTo('');
        await shares.again();
      }}>
      <div class="share-row">
        <div class="field">
          <label for={who}>Share with</label>
          <select id={who} value={to} onChange={(event) => setTo(event.currentTarget.value)}>
            <option value="">Choose a member of {organisationName(organisationId)}…</option>
            {!known.has('everybody') && <option value="everybody">Everybody in {organisationName(organisationId)}</option>}
            {left?.map((one: Member) => <option key={one.userId} value={one.userId}>{displayText(one.username, 40)}{one.displayName && one.displayName !== one.username ? ` (${displayText(one.displayName, 40)})` : ''}</option>)}
          </select>
        </div>
        <div class="field">
          <label for={may}>As</label>
          <select id={may} value={role} onChange={(event) => setRole(Number(event.currentTarget.value))}>
            {SHARE_ROLES.map(([each, label]) => <option key={each} value={each}>{label}</option>)}
          </select>
        </div>
      </div>
    </Form>
  );
}
