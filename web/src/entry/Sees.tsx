/** What this Hub can and cannot see, in two columns. The long form is docs/security.md. */

import { Eye, EyeOff } from 'lucide';
import { account } from '../state/account';
import { Icon } from '../ui/Icon';
import { useTitle } from '../ui/useTitle';
import { Card, GoTo } from './Card';

const CAN = [
  ['Who you are here', 'User name, the full name and e-mail you gave, organisations, roles, and whom you share with.'],
  ['Your password, for a moment', 'While you sign in. It keeps a hash only, as of every login and token.'],
  ['When and from where', 'Your address, the browser’s name, when you sign in, and what an audit log needs.'],
  ['Names that you give', 'Titles of workspaces and tabs, how tabs are arranged, and names of Workers. Keep secrets out of them.'],
  ['Your Workers', 'That they exist, public keys, encryption mode, version, whether they are online.'],
  ['The shape of your traffic', 'Who talks to which Worker, when, and how much: sizes and times of encrypted frames. They tell when you work and roughly how much you type.'],
] as const;

const CANNOT = [
  ['What you type and what is printed', 'Terminal input and output, commands, exit codes and environment.'],
  ['Files and what agents say', 'Contents, paths, changes, transcripts, tools and their results.'],
  ['The machine behind a Worker', 'Its host name, operating system, users and folders.'],
  ['Keys', 'Private keys, the keys of channels and the secret in a registration command never reach it.'],
] as const;

export function Sees() {
  return (
    <div class="sees">
      <div class="sees-columns">
        <section aria-labelledby="can-title">
          <h2 id="can-title"><Icon of={Eye} /> It can see</h2>
          <List of={CAN} />
        </section>
        <section class="cannot" aria-labelledby="cannot-title">
          <h2 id="cannot-title"><Icon of={EyeOff} /> It cannot see</h2>
          <List of={CANNOT} />
        </section>
      </div>
      <section class="prose">
        <h2>Why, and where it ends</h2>
        <p>
          Your browser and the Worker agree on keys with each other, through the Hub, and check each other: the Worker’s key
          is pinned here, and the Worker lets in only devices that it knows. The Hub passes on what it cannot open. It can
          still refuse to, or be slow.
        </p>
        <p class="notice warn">
          The limit to know: this page itself comes from the Hub. A Hub that serves a hostile page can get round all of this
          for whoever loads it. Where the Hub is not yours, use <code>leapmux remote</code> for work that must not leak: its
          program does not come from the Hub.
        </p>
      </section>
    </div>
  );
}

/** By its own address, also for whoever is not signed in yet. */
export function SeesAlone() {
  useTitle('What this Hub can see');
  return (
    <Card wide lead={<>What the Hub at <strong>{location.host}</strong> can and cannot see of the people who use it.</>}>
      <Sees />
      <div class="card-foot"><GoTo place="workspace">{account.value.state === 'signed-in' ? 'Go to the Hub' : 'Sign in'}</GoTo></div>
    </Card>
  );
}

function List({ of }: { of: readonly (readonly [string, string])[] }) {
  return (
    <dl>
      {of.map(([what, more]) => <div key={what}><dt>{what}</dt><dd>{more}</dd></div>)}
    </dl>
  );
}
