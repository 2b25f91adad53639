import { useState } from 'preact/hooks';
import { account, profile } from '../state/account';
import { changePassword } from '../state/myself';
import { passwordProblem } from '../state/names';
import { toast } from '../state/toasts';
import { PasswordField } from '../ui/Field';
import { Form } from '../ui/Form';

export function Password() {
  const [open, setOpen] = useState(false);
  const has = profile.value?.hasPassword ?? true;
  return (
    <section class="settings-part" aria-labelledby="password-title">
      <h2 id="password-title">Password</h2>
      <p class="muted">
        {has ? 'Changing it ends all other logins and all API tokens, and closes what is connected with them.'
          : 'This account has none: you sign in with a linked account.'}
      </p>
      {open ? <Change has={has} onDone={() => setOpen(false)} /> : <button onClick={() => setOpen(true)}>{has ? 'Change the password' : 'Set a password'}</button>}
    </section>
  );
}

function Change({ has, onDone }: { has: boolean; onDone: () => void }) {
  const [old, setOld] = useState('');
  const [next, setNext] = useState('');
  const who = account.value;
  const check = () => (has && old === '' ? 'Type the password that you have now.' : passwordProblem(next));
  const words = { unauthenticated: 'The password that you have now is another one. Try again.' };
  const submit = async () => {
    await changePassword(old, next);
    toast('Password changed. All other logins have ended.');
    onDone();
  };
  return (
    <Form verb="Change the password" doing="Changing…" check={check} words={words} onSubmit={submit} onCancel={onDone}>
      {/* For password managers, which keep a password by its user name. */}
      <input hidden readOnly autocomplete="username" value={who.state === 'signed-in' ? who.username : ''} />
      {has && <PasswordField label="Password now" value={old} onInput={setOld} autofocus again />}
      <PasswordField label="New password" value={next} onInput={setNext} fresh autofocus={!has} />
    </Form>
  );
}
