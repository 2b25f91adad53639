/** Whoever follows a link into an organisation: joins, signs in first, or makes an account with it. */

import { useState } from 'preact/hooks';
import { account, signOut } from '../state/account';
import { acceptLink } from '../state/invitation';
import { carried, dropCarried, go } from '../state/route';
import { toast } from '../state/toasts';
import { Form } from '../ui/Form';
import { useTitle } from '../ui/useTitle';
import { Card, GoTo } from './Card';
import { SignIn } from './SignIn';
import { SignUpForm } from './SignUp';

export function Join() {
  const secret = carried('join');
  const who = account.value;
  const [hasAccount, setHasAccount] = useState(false);
  useTitle('Invitation');
  if (secret === '') {
    return (
      <Card lead="This link is not whole.">
        <p>An invitation ends in <code>#</code> and a long code. Copy all of it and open it again.</p>
        <div class="card-foot"><GoTo place="workspace">Go to the Hub</GoTo></div>
      </Card>
    );
  }
  if (who.state === 'signed-in') return <Accept secret={secret} username={who.username} />;
  if (hasAccount) return <SignIn why="Sign in, then you join the organisation that you were invited to." />;
  return (
    <Card lead={<>You were invited to an organisation at the Hub <strong>{location.host}</strong>. Make an account to join it.</>}>
      <SignUpForm invitation={secret} />
      <div class="card-foot">
        <button type="button" class="link" onClick={() => setHasAccount(true)}>I have an account</button>
        <GoTo place="what-the-hub-sees">What this Hub can see</GoTo>
      </div>
    </Card>
  );
}

function Accept({ secret, username }: { secret: string; username: string }) {
  const leave = () => {
    dropCarried();
    go('workspace');
  };
  const submit = async () => {
    await acceptLink(secret);
    leave();
    toast('You are a member now.');
  };
  const words = {
    not_found: 'This invitation does not exist, was used up, or has run out. Ask for a new one.',
    already_exists: 'You are a member already.',
  };
  return (
    <Card lead={<>You were invited to an organisation. Join it as <strong>{username}</strong>?</>}>
      <p class="hint">Its members will see your user name, and can share workspaces with you.</p>
      <Form verb="Join" doing="Joining…" words={words} onSubmit={submit}>
        <button type="button" onClick={leave}>Not now</button>
      </Form>
      <div class="card-foot"><button type="button" class="link" onClick={() => void signOut()}>Not {username}? Sign out</button></div>
    </Card>
  );
}
