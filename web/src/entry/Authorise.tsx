/** A command line on this machine asks to act for the person. */

import { useState } from 'preact/hooks';
import { account, signOut } from '../state/account';
import { authorise, denial, readAsking, type Asking } from '../state/programs';
import { carried, dropCarried } from '../state/route';
import { Form } from '../ui/Form';
import { displayText } from '../ui/text';
import { useTitle } from '../ui/useTitle';
import { Card, GoTo } from './Card';

export function Authorise() {
  const [asking] = useState(readAsking(carried('authorise')));
  useTitle('Let a program in');
  if (asking) return <Decide asking={asking} />;
  return (
    <Card lead="This page was opened with something missing or wrong.">
      <p>
        It lets a command line on this same machine act for you, and the command line opens it by itself. If you did
        that, run the command again. If you only followed a link, somebody may want to trick you: close the page.
      </p>
      <div class="card-foot"><GoTo place="workspace">Go to the Hub</GoTo></div>
    </Card>
  );
}

function Decide({ asking }: { asking: Asking }) {
  const [gone, setGone] = useState<'allowed' | 'denied'>();
  const who = account.value;
  const username = who.state === 'signed-in' ? who.username : '';
  const leave = (to: string, how: 'allowed' | 'denied') => {
    dropCarried();
    setGone(how);
    location.replace(to);
  };
  if (gone) {
    return <Card lead={gone === 'allowed' ? 'Allowed.' : 'Denied.'}><p role="status">Go back to the program. You can close this page.</p></Card>;
  }
  const client = displayText(asking.client, 60);
  return (
    <Card lead={<>A program on this machine asks to act as <strong>{username}</strong> at this Hub.</>}>
      <dl class="facts boxed">
        <div><dt>Program</dt><dd><strong>{client}</strong> <span class="hint">says of itself</span></dd></div>
        <div><dt>Answer goes to</dt><dd><code>{displayText(new URL(asking.redirectUri).host, 60)}</code>, a port of this machine</dd></div>
        <div><dt>It can then</dt><dd>do at the Hub what you can, except change how you sign in, until you revoke it in the settings</dd></div>
      </dl>
      <p class="notice warn">Allow it only if you started it yourself just now.</p>
      <Form verb="Allow" doing="Allowing…" onSubmit={async () => leave(await authorise(asking), 'allowed')}>
        <button type="button" onClick={() => leave(denial(asking), 'denied')}>Deny</button>
      </Form>
      <div class="card-foot"><button type="button" class="link" onClick={() => void signOut()}>Not {username}? Sign out</button></div>
    </Card>
  );
}
