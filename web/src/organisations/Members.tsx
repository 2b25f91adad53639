/** Who is in an organisation, and as what. */

import { useState } from 'preact/hooks';
import { OrganisationRole, type Member, type Organisation } from '../gen/leapmux/v1/organisations_pb';
import { sentence } from '../hub/refusals';
import { account } from '../state/account';
import { changeRole, listMembers, memberNews, removeMember, ROLES, rolesToGive } from '../state/organisations';
import { toast } from '../state/toasts';
import { Asking } from '../ui/Asking';
import { Confirm } from '../ui/Confirm';
import { Initials } from '../ui/Initials';
import { day, displayText } from '../ui/text';
import { useAsked } from '../ui/useAsked';

const LAST_OWNER = { failed_precondition: 'An organisation keeps at least one owner. Make somebody else an owner first.' };

export function Members({ one }: { one: Organisation }) {
  const asked = useAsked(() => listMembers(one.organisationId), [memberNews.value]);
  const [removing, setRemoving] = useState<Member>();
  return (
    <section class="settings-part stretch" aria-labelledby="members-title">
      <h2 id="members-title">Members</h2>
      <Asking of={asked} />
      <ul class="records" aria-label="Members">
        {asked.value?.map((member) => (
          <MemberRecord key={member.userId} one={one} member={member} changed={() => void asked.again()} onRemove={() => setRemoving(member)} />
        ))}
      </ul>
      {removing && (
        <Confirm title={`Remove ${displayText(removing.username, 40)}?`} verb="Remove" doing="Removing…" words={LAST_OWNER} onClose={() => setRemoving(undefined)}
          onConfirm={async () => {
            await removeMember(one.organisationId, removing.userId);
            toast('Removed.');
            await asked.again();
          }}>
          <p>They lose every workspace of this organisation at once, and what they have open there closes.</p>
        </Confirm>
      )}
    </section>
  );
}

interface Props {
  one: Organisation;
  member: Member;
  changed: () => void;
  onRemove: () => void;
}

function MemberRecord({ one, member, changed, onRemove }: Props) {
  const who = account.value;
  const name = displayText(member.username, 40);
  const full = displayText(member.displayName, 60);
  const mine = who.state === 'signed-in' && who.userId === member.userId;
  const roles = rolesToGive(one.role);
  // An admin does not touch owners.
  const may = roles.includes(member.role);
  const give = async (role: OrganisationRole) => {
    try {
      await changeRole(one.organisationId, member.userId, role);
      toast(`${name} is ${ROLES[role].toLowerCase()} now.`);
    } catch (error) {
      toast(sentence(error, LAST_OWNER), 'danger');
    }
    changed();
  };
  return (
    <li class="record person">
      <Initials name={full || name} seed={member.userId} />
      <div class="record-main">
        <h3>{name}{mine && <span class="tag good">you</span>}</h3>
        <p class="hint">{full && full !== name ? `${full}. ` : ''}Since {day(Number(member.joinedUnixMs))}.</p>
      </div>
      <div class="record-actions">
        {may ? (
          <select aria-label={`Role of ${name}`} value={member.role} onChange={(event) => void give(Number(event.currentTarget.value))}>
            {roles.map((role) => <option key={role} value={role}>{ROLES[role]}</option>)}
          </select>
        ) : <span class="tag">{ROLES[member.role]}</span>}
        {may && !mine && <button onClick={onRemove}>Remove<span class="off-screen"> {name}</span></button>}
      </div>
    </li>
  );
}
