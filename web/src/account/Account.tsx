/** The person's own account: name, address, password, other ways in, and the end of it. */

import { account, signOut } from '../state/account';
import { DeleteAccount } from './DeleteAccount';
import { Email } from './Email';
import { Linked } from './Linked';
import { Password } from './Password';
import { ProfilePart } from './ProfilePart';

export function Account() {
  const who = account.value;
  if (who.state !== 'signed-in') return null;
  return (
    <>
      <section class="settings-part" aria-labelledby="who-title">
        <h2 id="who-title">Signed in as {who.username}</h2>
        <p class="muted">At the Hub {location.host}, version {who.version || 'unknown'}.</p>
        <button onClick={() => void signOut()}>Sign out</button>
      </section>
      <ProfilePart />
      <Email />
      <Password />
      <Linked />
      <DeleteAccount username={who.username} />
    </>
  );
}
