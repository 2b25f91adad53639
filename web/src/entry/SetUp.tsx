/** The first start: whoever can read the data folder becomes the first admin. */

import { useState } from 'preact/hooks';
import { NAME_HINT, nameProblem, passwordProblem } from '../state/names';
import { setUp } from '../state/entry';
import { go } from '../state/route';
import { Field, PasswordField } from '../ui/Field';
import { Form } from '../ui/Form';
import { useTitle } from '../ui/useTitle';
import { Card, GoTo } from './Card';

export function SetUp() {
  const [token, setToken] = useState('');
  const [username, setUsername] = useState('admin');
  const [displayName, setDisplayName] = useState('');
  const [password, setPassword] = useState('');
  useTitle('First start');
  const name = username.trim();
  const check = () => (token.trim() === '' ? 'Paste the access token first.' : (nameProblem(name) ?? passwordProblem(password)));
  const submit = async () => {
    await setUp(token.trim(), { username: name, password, displayName: displayName.trim() });
    go('workspace');
  };
  const words = { unauthenticated: 'The Hub does not accept this token. Check that all of the file was copied.' };
  return (
    <Card lead={<>This Hub at <strong>{location.host}</strong> is new. Make its first admin.</>}>
      <Form verb="Make the first admin" doing="Making the admin…" check={check} words={words} onSubmit={submit}>
        <PasswordField label="Access token" value={token} onInput={setToken} autofocus again
          hint={<>Shows that the machine is yours. It is in the file <code>access-token</code> of the Hub’s data folder.</>} />
        <Field label="User name" value={username} onInput={setUsername} autocomplete="username" plain maxLength={40} hint={NAME_HINT} />
        <Field label="Full name (optional)" value={displayName} onInput={setDisplayName} autocomplete="name" maxLength={80} />
        <PasswordField label="Password" value={password} onInput={setPassword} fresh />
      </Form>
      <div class="card-foot"><GoTo place="what-the-hub-sees">What this Hub can see</GoTo></div>
    </Card>
  );
}
