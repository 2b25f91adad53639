import { useState } from 'preact/hooks';
import type { LinkedAccount, Provider } from '../gen/leapmux/v1/accounts_pb';
import { profile } from '../state/account';
import { beginLink, linkPath, listLinked, listProviders, takeRefusal, unlink } from '../state/providers';
import { toast } from '../state/toasts';
import { Asking } from '../ui/Asking';
import { Confirm } from '../ui/Confirm';
import { Dialog } from '../ui/Dialog';
import { PasswordField } from '../ui/Field';
import { Form } from '../ui/Form';
import { day, displayText } from '../ui/text';
import { useAsked } from '../ui/useAsked';

export function Linked() {
  const asked = useAsked(async () => {
    const [linked, providers] = await Promise.all([listLinked(), listProviders()]);
    return { linked, providers };
  });
  const [refused] = useState(takeRefusal);
  const [leaving, setLeaving] = useState<LinkedAccount>();
  const [linking, setLinking] = useState<Provider>();
  const { linked = [], providers = [] } = asked.value ?? {};
  const open = providers.filter((one) => !linked.some((account) => account.providerId === one.providerId));
  if (asked.value && refused === undefined && linked.length === 0 && providers.length === 0) return null;
  return (
    <section class="settings-part" aria-labelledby="linked-title">
      <h2 id="linked-title">Linked accounts</h2>
      <p class="muted">Accounts elsewhere that you can sign in with.</p>
      {refused !== undefined && <p class="problem" role="alert">{refused}</p>}
      <Asking of={asked} />
      <ul class="records">
        {linked.map((one) => (
          <li key={`${one.providerId} ${one.subject}`} class="record">
            <div class="record-main">
              <h3>{nameOf(one)}</h3>
              <p class="hint">{displayText(one.email || one.subject, 80)}. Linked {day(Number(one.linkedUnixMs))}.</p>
            </div>
            <div class="record-actions"><button onClick={() => setLeaving(one)}>Unlink<span class="off-screen"> {nameOf(one)}</span></button></div>
          </li>
        ))}
      </ul>
      {open.length > 0 && (
        <div class="row">
          {open.map((one) => <button key={one.providerId} onClick={() => setLinking(one)}>Link {displayText(one.name, 40)}…</button>)}
        </div>
      )}
      {linking && <Link to={linking} onClose={() => setLinking(undefined)} />}
      {leaving && (
        <Confirm title={`Unlink ${nameOf(leaving)}?`} verb="Unlink" doing="Unlinking…" onClose={() => setLeaving(undefined)}
          onConfirm={async () => {
            await unlink(leaving);
            toast('Unlinked.');
            await asked.again();
          }}>
          <p>You can then no longer sign in with it. Logins that stand already go on.</p>
        </Confirm>
      )}
    </section>
  );
}

/** Whoever sits down at an open page does not give the account another way in. */
function Link({ to, onClose }: { to: Provider; onClose: () => void }) {
  const [password, setPassword] = useState('');
  const words = { unauthenticated: 'The password is wrong.' };
  const name = displayText(to.name, 40);
  return (
    <Dialog title={`Link ${name}?`} onClose={onClose} describedBy="link-text">
      <p id="link-text">You can then sign in here with your account there. This page leads you to {name} and back.</p>
      <Form verb="Go on" doing="Going on…" words={words} onCancel={onClose} onSubmit={async () => {
        await beginLink(password);
        location.assign(linkPath(to.providerId, '/settings/account'));
      }}>
        {profile.value?.hasPassword && <PasswordField label="Password" value={password} onInput={setPassword} again autofocus />}
      </Form>
    </Dialog>
  );
}

function nameOf(one: LinkedAccount): string {
  return displayText(one.providerName, 40) || displayText(one.providerId, 40);
}
