/** Browsers that are signed in as this person, each of which can be ended from here. */

import { useState } from 'preact/hooks';
import type { Login } from '../gen/leapmux/v1/accounts_pb';
import { browserName, listLogins, revokeLogin, revokeOtherLogins } from '../state/myself';
import { toast } from '../state/toasts';
import { Asking } from '../ui/Asking';
import { Confirm } from '../ui/Confirm';
import { day, displayText, moment, plural } from '../ui/text';
import { useAsked } from '../ui/useAsked';

export function Logins() {
  const asked = useAsked(listLogins);
  const [ending, setEnding] = useState<Login | 'others'>();
  const logins = asked.value ?? [];
  const others = logins.filter((one) => !one.thisOne);
  const end = async (which: Login | 'others') => {
    if (which === 'others') {
      toast(`${plural(await revokeOtherLogins(), 'login')} ended.`);
    } else {
      await revokeLogin(which.credentialId);
      toast('Login ended.');
    }
    await asked.again();
  };
  return (
    <section class="settings-part" aria-labelledby="logins-title">
      <h2 id="logins-title">Devices that are signed in</h2>
      <p class="muted">A login that is not used ends by itself. Revoke one that you do not know, then change your password.</p>
      <Asking of={asked} />
      <ul class="records" aria-label="Logins">
        {logins.map((one) => <LoginRecord key={one.credentialId} one={one} onRevoke={() => setEnding(one)} />)}
      </ul>
      {others.length > 0 && <button onClick={() => setEnding('others')}>Revoke all others</button>}
      {ending && (
        <Confirm title={ending === 'others' ? `Revoke ${plural(others.length, 'other login')}?` : `Revoke ${nameOf(ending)}?`}
          verb="Revoke" doing="Revoking…" onClose={() => setEnding(undefined)} onConfirm={() => end(ending)}>
          <p>It is signed out at once, and its terminals there are disconnected. What runs in them goes on.</p>
        </Confirm>
      )}
    </section>
  );
}

function LoginRecord({ one, onRevoke }: { one: Login; onRevoke: () => void }) {
  return (
    <li class="record">
      <div class="record-main">
        <h3>{nameOf(one)}{one.thisOne && <span class="tag good">this one</span>}</h3>
        <p class="hint">
          From {displayText(one.address, 60) || 'an unknown address'}. Last used {moment(Number(one.lastUsedUnixMs))},
          signed in {day(Number(one.createdUnixMs))}. Ends {day(Number(one.expiresUnixMs))} unless it is used.
        </p>
      </div>
      {!one.thisOne && <div class="record-actions"><button onClick={onRevoke}>Revoke<span class="off-screen"> {nameOf(one)}</span></button></div>}
    </li>
  );
}

function nameOf(one: Login): string {
  return browserName(one.userAgent) ?? (displayText(one.userAgent, 60) || 'A browser without a name');
}
