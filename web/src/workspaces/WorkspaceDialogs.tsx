/** What is asked before something is done with a workspace. */

import { useId, useState } from 'preact/hooks';
import { listMembers, organisationName, organisations, personal } from '../state/organisations';
import { dismiss, type Overlay } from '../state/overlays';
import { toast } from '../state/toasts';
import { createWorkspace, deleteWorkspace, renameWorkspace, titleOfWorkspace, transferWorkspace, workspaceOf } from '../state/workspaces';
import { Asking } from '../ui/Asking';
import { Confirm } from '../ui/Confirm';
import { Dialog } from '../ui/Dialog';
import { Field } from '../ui/Field';
import { Form } from '../ui/Form';
import { displayText } from '../ui/text';
import { useAsked } from '../ui/useAsked';
import { AttachDialog } from './AttachDialog';
import { SharingDialog } from './SharingDialog';

export type WorkspaceOverlay = Extract<Overlay, { workspaceId: string }>;

export function WorkspaceDialogs({ asked }: { asked: WorkspaceOverlay }) {
  switch (asked.kind) {
    case 'new-workspace': return <New />;
    case 'rename-workspace': return <Rename workspaceId={asked.workspaceId} />;
    case 'transfer-workspace': return <Transfer workspaceId={asked.workspaceId} />;
    case 'delete-workspace': return <Delete workspaceId={asked.workspaceId} />;
    case 'sharing': return <SharingDialog workspaceId={asked.workspaceId} />;
    case 'attach': return <AttachDialog {...asked} />;
  }
}

const titled = (title: string) => () => (title.trim() === '' ? 'A title is missing.' : undefined);

function New() {
  const [title, setTitle] = useState('');
  const [organisationId, setOrganisation] = useState('');
  const id = useId();
  const teams = organisations.value?.filter((one) => !one.personal) ?? [];
  return (
    <Dialog title="New workspace" onClose={dismiss}>
      <Form verb="Create" doing="Creating…" onCancel={dismiss} check={titled(title)}
        onSubmit={async () => {
          await createWorkspace(title.trim(), organisationId);
          dismiss();
        }}>
        <Field label="Title" value={title} onInput={setTitle} maxLength={80} autofocus hint="The Hub can read titles, not what is in terminals." />
        {teams.length > 0 && (
          <div class="field">
            <label for={id}>Organisation</label>
            <select id={id} value={organisationId} onChange={(event) => setOrganisation(event.currentTarget.value)}>
              <option value="">{personal.value ? `${displayText(personal.value.slug, 40)} (personal)` : 'Personal'}</option>
              {teams.map((one) => <option key={one.organisationId} value={one.organisationId}>{organisationName(one.organisationId)}</option>)}
            </select>
            <p class="hint">It can be shared with the members of its organisation, and with nobody else.</p>
          </div>
        )}
      </Form>
    </Dialog>
  );
}

function Rename({ workspaceId }: { workspaceId: string }) {
  const [title, setTitle] = useState(titleOfWorkspace(workspaceOf(workspaceId)));
  return (
    <Dialog title="Rename workspace" onClose={dismiss}>
      <Form verb="Rename" doing="Renaming…" onCancel={dismiss} check={titled(title)}
        onSubmit={async () => {
          await renameWorkspace(workspaceId, title.trim());
          dismiss();
        }}>
        <Field label="Title" value={title} onInput={setTitle} maxLength={80} autofocus />
      </Form>
    </Dialog>
  );
}

function Transfer({ workspaceId }: { workspaceId: string }) {
  const one = workspaceOf(workspaceId);
  const members = useAsked(() => listMembers(one?.organisationId ?? ''));
  const others = members.value?.filter((member) => member.userId !== one?.ownerUserId);
  const [to, setTo] = useState('');
  const id = useId();
  return (
    <Dialog title={`Transfer ${titleOfWorkspace(one)}`} onClose={dismiss}>
      <p>Its new owner decides with whom it is shared. Workers in it stay whose they are; detach yours if they should not be used there any more.</p>
      <Asking of={members} />
      {others?.length === 0 && <p class="notice">Nobody else is in {organisationName(one?.organisationId ?? '')}.</p>}
      <Form verb="Transfer" doing="Transferring…" danger disabled={!others?.length} onCancel={dismiss} check={() => (to === '' ? 'Choose the new owner.' : undefined)}
        onSubmit={async () => {
          await transferWorkspace(workspaceId, to);
          toast('The workspace has a new owner.');
          dismiss();
        }}>
        {others !== undefined && others.length > 0 && (
          <div class="field">
            <label for={id}>New owner</label>
            <select id={id} data-first value={to} onChange={(event) => setTo(event.currentTarget.value)}>
              <option value="">Choose…</option>
              {others.map((member) => <option key={member.userId} value={member.userId}>{displayText(member.username, 40)}</option>)}
            </select>
          </div>
        )}
      </Form>
    </Dialog>
  );
}

function Delete({ workspaceId }: { workspaceId: string }) {
  const title = titleOfWorkspace(workspaceOf(workspaceId));
  return (
    <Confirm title={`Delete ${title}?`} verb="Delete" doing="Deleting…" typed={title} onClose={dismiss}
      onConfirm={async () => {
        await deleteWorkspace(workspaceId);
        toast('Deleted.');
      }}>
      <p>Its layout is gone for everybody, and whoever it was shared with loses it at once. Terminals on your Workers go on running; close them there.</p>
    </Confirm>
  );
}
