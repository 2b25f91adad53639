import { useState } from 'preact/hooks';
import { hub, profile } from '../state/account';
import { changeEmail } from '../state/myself';
import { emailProblem } from '../state/names';
import { Field, PasswordField } from '../ui/Field';
import { Form } from '../ui/Form';
import { displayText } from '../ui/text';

export function Email() {
  /** The address that the form begins with. */
  const [open, setOpen] = useState<string>();
  const [sentTo, setSentTo] = useState<string>();
  const me = profile.value;
  if (!me) return null;
  return (
    <section class="settings-part" aria-labelledby="email-title">
      <h2 id="email-title">E-mail</h2>
      <p>
        {me.email === '' ? <span class="muted">None.</span> : displayText(me.email, 254)}
        {me.email !== '' && <span class={`tag ${me.emailVerified ? 'good' : 'warn'}`}>{me.emailVerified ? 'confirmed' : 'not confirmed'}</span>}
      </p>
      {sentTo !== undefined && <p class="notice" role="status">A mail to {sentTo} has a link in it. The address changes when you follow it.</p>}
      {!hub.value.mail && <p class="hint">This Hub sends no mail, so an address cannot be confirmed or changed here. Ask whoever runs it.</p>}
      {hub.value.mail && open === undefined && (
        <div class="row">
          <button onClick={() => setOpen('')}>{me.email === '' ? 'Add an address' : 'Change the address'}</button>
          {me.email !== '' && !me.emailVerified && <button onClick={() => setOpen(me.email)}>Send the mail again</button>}
        </div>
      )}
      {hub.value.mail && open !== undefined && <Change first={open} hasPassword={me.hasPassword} onCancel={() => setOpen(undefined)} onSent={(to) => (setSentTo(to), setOpen(undefined))} />}
    </section>
  );
}

interface ChangeProps {
  first: string;
  hasPassword: boolean;
  onCancel: () => void;
  onSent: (to: string) => void;
}

function Change({ first, hasPassword, onCancel, onSent }: ChangeProps) {
  const [email, setEmail] = useState(first);
  const [password, setPassword] = useState('');
  const address = email.trim();
  const words = { unauthenticated: 'The password is wrong.' };
  return (
    <Form verb="Send the mail" doing="Sending…" check={() => emailProblem(address)} words={words} onCancel={onCancel}
      onSubmit={async () => {
        await changeEmail(address, password);
        onSent(address);
      }}>
      <Field label="Address" type="email" value={email} onInput={setEmail} autocomplete="email" plain autofocus />
      {hasPassword && <PasswordField label="Password" value={password} onInput={setPassword} again />}
    </Form>
  );
}
