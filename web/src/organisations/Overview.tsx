/** All organisations at a glance, invitations to the person, and the making of a new one. */

import { Plus } from 'lucide';
import { useState } from 'preact/hooks';
import type { Invitation, Organisation } from '../gen/leapmux/v1/organisations_pb';
import { sentence } from '../hub/refusals';
import { NAME_HINT, nameProblem } from '../state/names';
import { acceptInvitation, createOrganisation, declineInvitation, invitations, organisationOf, organisations, ROLES } from '../state/organisations';
import { go } from '../state/route';
import { toast } from '../state/toasts';
import { Dialog } from '../ui/Dialog';
import { Field } from '../ui/Field';
import { Form } from '../ui/Form';
import { Icon } from '../ui/Icon';
import { day, displayText, plural } from '../ui/text';

export function Overview() {
  const [making, setMaking] = useState(false);
  const known = organisations.value;
  return (
    <>
      <div class="page-head">
        <p class="muted">Workspaces and Workers belong to an organisation. Yours alone is there from the start; in others you work with the people you invite.</p>
        <button class="primary" onClick={() => setMaking(true)}><Icon of={Plus} /> New organisation</button>
      </div>
      <Invited />
      {known === undefined && <p class="hint" role="status">Asking the Hub…</p>}
      <ul class="records" aria-label="Organisations">
        {known?.map((one) => <Summary key={one.organisationId} one={one} />)}
      </ul>
      {making && <NewOrganisation onClose={() => setMaking(false)} />}
    </>
  );
}

function Summary({ one }: { one: Organisation }) {
  const name = displayText(one.name || one.slug, 60);
  const { members = 0, workers = 0 } = one.usage ?? {};
  return (
    <li class="record">
      <div class="record-main">
        <h3>{name} <span class="tag">{one.personal ? 'personal' : ROLES[one.role]}</span></h3>
        <p class="hint">Short name {displayText(one.slug, 40)}. {plural(members, 'member')}, {plural(workers, 'Worker')}.</p>
      </div>
      <div class="record-actions"><button onClick={() => go('organisations', one.slug)}>Open<span class="off-screen"> {name}</span></button></div>
    </li>
  );
}

function Invited() {
  const open = invitations.value;
  if (open.length === 0) return null;
  return (
    <section class="settings-part stretch" aria-labelledby="invited-title">
      <h2 id="invited-title">You are invited</h2>
      <ul class="records invited">{open.map((one) => <InvitedTo key={one.invitationId} one={one} />)}</ul>
    </section>
  );
}

function InvitedTo({ one }: { one: Invitation }) {
  const [busy, setBusy] = useState(false);
  const name = displayText(one.organisationName || one.organisationSlug, 60);
  const act = async (what: () => Promise<void>, done: string) => {
    setBusy(true);
    try {
      await what();
      toast(done);
    } catch (error) {
      toast(sentence(error, { not_found: 'The invitation has been withdrawn.', resource_exhausted: 'The organisation has as many members as it may have.' }), 'danger');
      setBusy(false);
    }
  };
  return (
    <li class="record">
      <div class="record-main">
        <h3>{name} <span class="tag">{ROLES[one.role]}</span></h3>
        <p class="hint">By {displayText(one.invitedBy, 40)}. Open until {day(Number(one.expiresUnixMs))}.</p>
      </div>
      <div class="record-actions">
        <button disabled={busy} onClick={() => void act(() => declineInvitation(one.invitationId), 'Declined.')}>Decline<span class="off-screen"> {name}</span></button>
        <button class="primary" disabled={busy} onClick={() => void act(() => acceptInvitation(one.invitationId), `You are in ${name} now.`)}>Join<span class="off-screen"> {name}</span></button>
      </div>
    </li>
  );
}

function NewOrganisation({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('');
  const [slug, setSlug] = useState('');
  const [own, setOwn] = useState(false);
  const named = (text: string) => {
    setName(text);
    if (!own) setSlug(slugOf(text));
  };
  return (
    <Dialog title="New organisation" onClose={onClose}>
      <Form verb="Create" doing="Creating…" onCancel={onClose} check={() => nameProblem(slug, 'The short name')} words={{ already_exists: 'This short name is taken, by an organisation or a person. Choose another one.' }}
        onSubmit={async () => {
          const made = await createOrganisation(slug, name.trim());
          onClose();
          go('organisations', organisationOf(made)?.slug ?? '');
        }}>
        <Field label="Name" value={name} onInput={named} maxLength={80} autofocus />
        <Field label="Short name" value={slug} onInput={(text) => { setOwn(true); setSlug(text.toLowerCase()); }} maxLength={32} plain again hint={NAME_HINT} />
      </Form>
    </Dialog>
  );
}

/** What a name would be as a short one. */
export function slugOf(name: string): string {
  return name.normalize('NFKD').toLowerCase().replace(/[^a-z0-9]+/g, '-').slice(0, 32).replace(/^-+|-+$/g, '');
}
