/** Who else is here, as small discs. */

import { account } from '../state/account';
import { people } from '../state/presence';
import { Initials } from '../ui/Initials';

const SHOWN = 6;

export function Others() {
  const who = account.value;
  const me = who.state === 'signed-in' ? who.userId : '';
  const all = people.value;
  if (all.length === 0) return null;
  return (
    <ul class="others" aria-label="Also here">
      {all.slice(0, SHOWN).map((one) => (
        <li key={one.userId}><Initials name={one.username} seed={one.userId} title={one.userId === me ? `${one.username} (you, on another screen)` : one.username} /></li>
      ))}
      {all.length > SHOWN && <li class="hint">+{all.length - SHOWN}</li>}
    </ul>
  );
}
