/** Invitations that are open, and the making of new ones: by name, or by a link. */

import { Link, UserPlus } from 'lucide';
import { useId, useState } from 'preact/hooks';
import { OrganisationRole, type Invitation, type Organisation } from '../gen/leapmux/v1/organisations_pb';
import { sentence } from '../hub/refusals';
import { nameProblem } from '../state/names';
import { createInviteLink, inviteMember, listInvitations, memberNews, revokeInvitation, ROLES, rolesToGive } from '../state/organisations';
import { toast } from '../state/toasts';
import { Asking } from '../ui/Asking';
import { Copyable } from '../ui/Copyable';
import { Dialog } from '../ui/Dialog';
import { Field } from '../ui/Field';
import { Form } from '../ui/Form';
import { Icon } from '../ui/Icon';
import { day, displayText, plural } from '../ui/text';
import { useAsked } from '../ui/useAsked';

const FULL = { resource_exhausted: 'The organisation has as many members as it may have.' };

export function Invitations({ one }: { one: Organisation }) {
  const asked = useAsked(() => listInvitations(one.organisationId), [memberNews.value]);
  const [making, setMaking] = useState<'name' | 'link'>();
  const close = () => {
    setMaking(undefined);
    void asked.again();
  };
  return (
    <section class="settings-part stretch" aria-labelledby="invitations-title">
      <h2 id="invitations-title">Invitations</h2>
      <div class="row">
        <button onClick={() => setMaking('name')}><Icon of={UserPlus} /> Invite by name…</button>
        <button onClick={() => setMaking('link')}><Icon of={Link} /> Make a link…</button>
      </div>
      <Asking of={asked} />
      {asked.value?.length === 0 && <p class="hint">None is open.</p>}
      <ul class="records" aria-label="Open invitations">
        {asked.value?.map((invitation) => <Open key={invitation.invitationId} one={invitation} changed={() => void asked.again()} />)}
      </ul>
      {making === 'name' && <ByName one={one} onClose={close} />}
      {making === 'link' && <ByLink one={one} onClose={close} />}
    </section>
  );
}

function Open({ one, changed }: { one: Invitation; changed: () => void }) {
  const name = one.username ? displayText(one.username, 40) : 'Link';
  const revoke = () => revokeInvitation(one.invitationId).then(() => toast('Withdrawn.'), (error: unknown) => toast(sentence(error), 'danger')).then(changed);
  return (
    <li class="record">
      <div class="record-main">
        <h3>{name} <span class="tag">{ROLES[one.role]}</span></h3>
        <p class="hint">{one.username ? '' : `${plural(one.usesLeft, 'use')} left. `}By {displayText(one.invitedBy, 40)}. Open until {day(Number(one.expiresUnixMs))}.</p>
      </div>
      <div class="record-actions"><button onClick={() => void revoke()}>Withdraw<span class="off-screen"> {name}</span></button></div>
    </li>
  );
}

function RoleChoice({ roles, role, onRole }: { roles: OrganisationRole[]; role: OrganisationRole; onRole: (role: OrganisationRole) => void }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>Role</label>
      <select id={id} value={role} onChange={(event) => onRole(Number(event.currentTarget.value))}>
        {roles.map((each) => <option key={each} value={each}>{ROLES[each]}</option>)}
      </select>
    </div>
  );
}

function ByName({ one, onClose }: { one: Organisation; onClose: () => void }) {
  const [username, setUsername] = useState('');
  const [role, setRole] = useState(OrganisationRole.MEMBER);
  return (
    <Dialog title="Invite by name" onClose={onClose}>
      <Form verb="Invite" doing="Inviting…" onCancel={onClose} check={() => nameProblem(username)}
        words={{ ...FULL, not_found: 'Nobody has this user name here.', already_exists: 'They are a member, or invited already.' }}
        onSubmit={async () => {
          await inviteMember(one.organisationId, username, role);
          toast('Invited. They decide on their own page.');
          onClose();
        }}>
        <Field label="User name" value={username} onInput={(text) => setUsername(text.trim().toLowerCase())} maxLength={32} autofocus plain again />
        <RoleChoice roles={rolesToGive(one.role)} role={role} onRole={setRole} />
      </Form>
    </Dialog>
  );
}

const DAYS = [1, 7, 30];

function ByLink({ one, onClose }: { one: Organisation; onClose: () => void }) {
  const [role, setRole] = useState(OrganisationRole.MEMBER);
  const [uses, setUses] = useState('1');
  const [days, setDays] = useState(7);
  const [link, setLink] = useState<string>();
  const id = useId();
  if (link !== undefined) {
    return (
      <Dialog title="Invitation link" onClose={onClose}>
        <p class="notice warn">Whoever has this link can join. It is shown only now: copy it, and send it over a channel you trust.</p>
        <Copyable label="Link" text={link} first />
        <div class="actions"><button class="primary" onClick={onClose}>Done</button></div>
      </Dialog>
    );
  }
  const count = Number(uses);
  return (
    <Dialog title="Make an invitation link" onClose={onClose}>
      <Form verb="Make the link" doing="Making…" onCancel={onClose} words={FULL} check={() => (Number.isInteger(count) && count >= 1 && count <= 100 ? undefined : 'A link is good for 1 to 100 people.')}
        onSubmit={async () => setLink(await createInviteLink(one.organisationId, { role, uses: count, lifetimeSeconds: days * 86_400 }))}>
        <RoleChoice roles={rolesToGive(one.role).filter((each) => each !== OrganisationRole.OWNER)} role={role} onRole={setRole} />
        <Field label="For how many people" value={uses} onInput={setUses} maxLength={3} plain again autofocus />
        <div class="field">
          <label for={id}>Open for</label>
          <select id={id} value={days} onChange={(event) => setDays(Number(event.currentTarget.value))}>
            {DAYS.map((each) => <option key={each} value={each}>{plural(each, 'day')}</option>)}
          </select>
        </div>
      </Form>
    </Dialog>
  );
}
