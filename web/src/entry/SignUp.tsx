/** Making an account, where the Hub lets anybody, or with an invitation. */

import { useState } from 'preact/hooks';
import { hub } from '../state/account';
import { signUp } from '../state/entry';
import { NAME_HINT, emailProblem, nameProblem, passwordProblem } from '../state/names';
import { dropCarried, go } from '../state/route';
import { Field, PasswordField } from '../ui/Field';
import { Form } from '../ui/Form';
import { useTitle } from '../ui/useTitle';
import { Card, GoTo } from './Card';
import { Providers } from './Providers';

export function SignUp() {
  useTitle('Make an account');
  if (!hub.value.signUpOpen) {
    return (
      <Card lead="This Hub makes no accounts on its own.">
        <p>Ask whoever runs it for an account, or for a link to an organisation.</p>
        <div class="card-foot"><GoTo place="workspace">Sign in</GoTo></div>
      </Card>
    );
  }
  return (
    <Card lead={<>Make an account at the Hub <strong>{location.host}</strong>.</>}>
      <SignUpForm invitation="" />
      <Providers />
      <div class="card-foot">
        <GoTo place="workspace">I have an account</GoTo>
        <GoTo place="what-the-hub-sees">What this Hub can see</GoTo>
      </div>
    </Card>
  );
}

export function SignUpForm({ invitation }: { invitation: string }) {
  const [username, setUsername] = useState('');
  const [displayName, setDisplayName] = useState('');
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const name = username.trim();
  const mail = email.trim();
  const check = () => nameProblem(name) ?? (mail === '' ? undefined : emailProblem(mail)) ?? passwordProblem(password);
  const submit = async () => {
    await signUp({ username: name, password, displayName: displayName.trim() }, mail, invitation);
    dropCarried();
    go('workspace');
  };
  const words = {
    already_exists: 'This user name is taken. Choose another one.',
    not_found: 'This invitation does not exist, was used up, or has run out. Ask for a new one.',
  };
  return (
    <Form verb="Make the account" doing="Making the account…" check={check} words={words} onSubmit={submit}>
      <Field label="User name" value={username} onInput={setUsername} autocomplete="username" plain maxLength={40} hint={NAME_HINT} autofocus again />
      <Field label="Full name (optional)" value={displayName} onInput={setDisplayName} autocomplete="name" maxLength={80} />
      <Field label="E-mail (optional)" type="email" value={email} onInput={setEmail} autocomplete="email" plain
        hint={hub.value.mail ? 'For a forgotten password. A mail asks you to confirm it.' : 'This Hub sends no mail; it is only written down.'} />
      <PasswordField label="Password" value={password} onInput={setPassword} fresh />
    </Form>
  );
}
