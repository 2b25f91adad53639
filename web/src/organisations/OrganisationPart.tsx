/** One organisation: members, invitations, what it uses of what it may, and its names. */

import { useState } from 'preact/hooks';
import { OrganisationRole, type Organisation } from '../gen/leapmux/v1/organisations_pb';
import { account } from '../state/account';
import { NAME_HINT, nameProblem } from '../state/names';
import { deleteOrganisation, removeMember, updateOrganisation } from '../state/organisations';
import { go } from '../state/route';
import { toast } from '../state/toasts';
import { Confirm } from '../ui/Confirm';
import { Dialog } from '../ui/Dialog';
import { Field } from '../ui/Field';
import { Form } from '../ui/Form';
import { displayText } from '../ui/text';
import { Invitations } from './Invitations';
import { Members } from './Members';
import { Workspaces } from './Workspaces';

export function OrganisationPart({ one }: { one: Organisation }) {
  const leads = one.role === OrganisationRole.OWNER || one.role === OrganisationRole.ADMIN;
  return (
    <>
      <Use one={one} />
      {!one.personal && <Members one={one} />}
      {!one.personal && leads && <Invitations one={one} />}
      {!one.personal && leads && <Workspaces one={one} />}
      {one.personal && (
        <p class="muted">This one is yours alone. To share workspaces and Workers with others, <button class="link" onClick={() => go('organisations')}>make an organisation of several people</button>.</p>
      )}
      {!one.personal && <Ends one={one} leads={leads} />}
    </>
  );
}

/** How full it is, in words and as a bar. */
function Use({ one }: { one: Organisation }) {
  const rows: [string, number, number][] = [
    ['Members', one.usage?.members ?? 0, one.quotas?.members ?? 0],
    ['Workers', one.usage?.workers ?? 0, one.quotas?.workers ?? 0],
    ['Open channels', one.usage?.channels ?? 0, one.quotas?.channels ?? 0],
  ];
  const rate = Number(one.quotas?.bytesPerSecond ?? 0n);
  return (
    <section class="settings-part stretch" aria-labelledby="use-title">
      <h2 id="use-title">Use</h2>
      <dl class="gauges">
        {rows.map(([name, used, most]) => (
          <div key={name} class={most > 0 && used / most >= 0.9 ? 'gauge full' : 'gauge'}>
            <dt>{name}</dt>
            <dd>{used}{most > 0 && <span class="muted"> of {most}</span>}</dd>
            {most > 0 && <dd class="gauge-bar" aria-hidden="true"><span style={{ width: `${Math.min(100, (used / most) * 100)}%` }} /></dd>}
          </div>
        ))}
        <div class="gauge"><dt>Relayed at most</dt><dd>{rate > 0 ? `${bytes(rate)} a second` : 'no limit'}</dd></div>
      </dl>
    </section>
  );
}

function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  const at = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, count)) / 10));
  return `${Number((count / 2 ** (10 * at)).toFixed(1))} ${units[at]}`;
}

function Ends({ one, leads }: { one: Organisation; leads: boolean }) {
  const [asking, setAsking] = useState<'names' | 'leave' | 'delete'>();
  const who = account.value;
  const name = displayText(one.name || one.slug, 60);
  const close = () => setAsking(undefined);
  return (
    <section class="settings-part" aria-labelledby="ends-title">
      <h2 id="ends-title">This organisation</h2>
      <div class="row">
        {leads && <button onClick={() => setAsking('names')}>Rename…</button>}
        <button onClick={() => setAsking('leave')}>Leave…</button>
        {one.role === OrganisationRole.OWNER && <button class="outline-danger" onClick={() => setAsking('delete')}>Delete…</button>}
      </div>
      {asking === 'names' && <Names one={one} onClose={close} />}
      {asking === 'leave' && (
        <Confirm title={`Leave ${name}?`} verb="Leave" doing="Leaving…" onClose={close} words={{ failed_precondition: 'You are its last owner. Make somebody else an owner first, or delete it.' }}
          onConfirm={async () => {
            if (who.state !== 'signed-in') return;
            await removeMember(one.organisationId, who.userId);
            go('organisations');
            toast(`You have left ${name}.`);
          }}>
          <p>You lose its workspaces at once, and your connections to them close. Somebody has to invite you to come back.</p>
        </Confirm>
      )}
      {asking === 'delete' && (
        <Confirm title={`Delete ${name}?`} verb="Delete" doing="Deleting…" typed={one.slug} onClose={close}
          onConfirm={async () => {
            await deleteOrganisation(one.organisationId, one.slug);
            go('organisations');
            toast(`${name} is deleted.`);
          }}>
          <p>Its workspaces and their layouts are deleted, and its members lose them at once. Your Workers in it move to your personal organisation; while Workers of others are registered in it, it cannot be deleted. It cannot be undone.</p>
        </Confirm>
      )}
    </section>
  );
}

function Names({ one, onClose }: { one: Organisation; onClose: () => void }) {
  const [name, setName] = useState(one.name);
  const [slug, setSlug] = useState(one.slug);
  return (
    <Dialog title="Rename organisation" onClose={onClose}>
      <Form verb="Save" doing="Saving…" onCancel={onClose} check={() => (name.trim() === '' ? 'A name is missing.' : nameProblem(slug, 'The short name'))} words={{ already_exists: 'This short name is taken. Choose another one.' }}
        onSubmit={async () => {
          await updateOrganisation(one.organisationId, slug === one.slug ? '' : slug, name.trim() === one.name ? '' : name.trim());
          onClose();
          go('organisations', slug);
        }}>
        <Field label="Name" value={name} onInput={setName} maxLength={80} autofocus />
        <Field label="Short name" value={slug} onInput={setSlug} maxLength={32} plain again hint={NAME_HINT} />
      </Form>
    </Dialog>
  );
}
