/** A forgotten password: ask for a mail, and with the code from it choose a new one. */

import { useState } from 'preact/hooks';
import { RpcFailure } from '../hub/rpc';
import { hub } from '../state/account';
import { requestReset, resetPassword } from '../state/entry';
import { emailProblem, passwordProblem } from '../state/names';
import { carried, dropCarried } from '../state/route';
import { Field, PasswordField } from '../ui/Field';
import { Form } from '../ui/Form';
import { useTitle } from '../ui/useTitle';
import { Card, GoTo } from './Card';

export function Reset() {
  useTitle('New password');
  const [code, setCode] = useState(carried('reset'));
  if (code !== '') return <Choose code={code} onAnew={() => setCode('')} />;
  if (hub.value.mail) return <Ask />;
  return (
    <Card lead="This Hub sends no mail.">
      <p>Ask whoever runs it to set a new password for you.</p>
      <Back />
    </Card>
  );
}

function Ask() {
  const [email, setEmail] = useState('');
  const [sent, setSent] = useState(false);
  const address = email.trim();
  if (sent) {
    return (
      <Card lead="Look into your mail.">
        <p role="status">If an account here has confirmed the address <strong>{address}</strong>, a mail with a link is on its way. The link is good once, and not for long.</p>
        <Back />
      </Card>
    );
  }
  return (
    <Card lead="Forgot the password? A mail with a link to choose a new one goes to the address of your account, if it was confirmed.">
      <Form verb="Send the mail" doing="Asking…" check={() => emailProblem(address)}
        onSubmit={async () => {
          await requestReset(address);
          setSent(true);
        }}>
        <Field label="E-mail" type="email" value={email} onInput={setEmail} autocomplete="email" plain autofocus again />
      </Form>
      <Back />
    </Card>
  );
}

function Choose({ code, onAnew }: { code: string; onAnew: () => void }) {
  const [password, setPassword] = useState('');
  const [done, setDone] = useState(false);
  const [spent, setSpent] = useState(false);
  if (done) {
    return (
      <Card lead="The password is changed.">
        <p role="status">Every login and token of before has ended. Sign in with the new password.</p>
        <Back />
      </Card>
    );
  }
  return (
    <Card lead="Choose a new password.">
      <Form verb="Change the password" doing="Changing…" check={() => passwordProblem(password)}
        onSubmit={async () => {
          try {
            await resetPassword(code, password);
          } catch (error) {
            if (error instanceof RpcFailure && error.code === 'failed_precondition') {
              dropCarried();
              setSpent(true);
            }
            throw error;
          }
          dropCarried();
          setDone(true);
        }}>
        <PasswordField label="New password" value={password} onInput={setPassword} fresh autofocus again />
      </Form>
      {spent && <p><button type="button" class="link" onClick={onAnew}>Ask for another mail</button></p>}
      <p class="hint">All logins and tokens of the account end with it.</p>
      <Back />
    </Card>
  );
}

function Back() {
  return <div class="card-foot"><GoTo place="workspace">Sign in</GoTo></div>;
}
