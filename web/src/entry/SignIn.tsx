import { useState } from 'preact/hooks';
import { account, hub } from '../state/account';
import { signIn, signInWithToken } from '../state/entry';
import { Field, PasswordField } from '../ui/Field';
import { Form } from '../ui/Form';
import { useTitle } from '../ui/useTitle';
import { Card, GoTo } from './Card';
import { Providers } from './Providers';

/** `why`: what somebody came for who has to sign in first. */
export function SignIn({ why }: { why?: string }) {
  const [byToken, setByToken] = useState(false);
  useTitle('Sign in');
  const who = account.value;
  const over = who.state === 'signed-out' && who.why === 'ended';
  return (
    <Card lead={why ?? <>Sign in to the Hub at <strong>{location.host}</strong>.</>}>
      {over && (
        <p class="notice danger" role="alert">
          You were signed out: this login has ended. It was revoked, signed out in another tab, ran out, or the password was changed.
          Nothing on this page is connected any more.
        </p>
      )}
      {byToken ? <ByToken /> : <ByPassword />}
      <Providers />
      <div class="card-foot">
        {!byToken && hub.value.mail && <GoTo place="reset">Forgot the password?</GoTo>}
        {hub.value.signUpOpen && <GoTo place="sign-up">Make an account</GoTo>}
        <button type="button" class="link" onClick={() => setByToken(!byToken)}>{byToken ? 'Use name and password' : 'Use the access token'}</button>
        <GoTo place="what-the-hub-sees">What this Hub can see</GoTo>
      </div>
    </Card>
  );
}

function ByPassword() {
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const check = () => (username.trim() === '' || password === '' ? 'Type the user name and the password.' : undefined);
  const words = { invalid_argument: 'The user name or the password is wrong.' };
  return (
    <Form verb="Sign in" doing="Signing in…" words={words} check={check} onSubmit={() => signIn(username.trim(), password)}>
      <Field label="User name" value={username} onInput={setUsername} autocomplete="username" plain autofocus />
      <PasswordField label="Password" value={password} onInput={setPassword} again />
    </Form>
  );
}

function ByToken() {
  const [token, setToken] = useState('');
  const check = () => (token.trim() === '' ? 'Paste the access token.' : undefined);
  const words = {
    unauthenticated: 'The Hub does not accept this token. Check that all of it was copied.',
    invalid_argument: 'This does not look like an access token.',
  };
  return (
    <Form verb="Sign in" doing="Signing in…" words={words} check={check} onSubmit={() => signInWithToken(token.trim())}>
      <PasswordField label="Access token" value={token} onInput={setToken} again autofocus
        hint={<>For whoever runs the Hub: it is in the file <code>access-token</code> of its data folder.</>} />
    </Form>
  );
}
