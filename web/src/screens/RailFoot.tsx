/** What does not depend on a Worker: how the page looks, help, settings, and whose page it is. */

import { CircleHelp, Moon, Server, Settings2, ShieldCheck, Sun, SunMoon, Users } from 'lucide';
import type { IconNode } from 'lucide';
import { account, profile } from '../state/account';
import { invitations } from '../state/organisations';
import { closeDrawer, show } from '../state/overlays';
import { nextTheme, prefs, setPref } from '../state/prefs';
import { go, route, type Route } from '../state/route';
import { Icon } from '../ui/Icon';

export function RailFoot() {
  const who = account.value;
  const theme = prefs.value.theme;
  const next = nextTheme();
  const solo = who.state === 'signed-in' && who.solo;
  return (
    <div class="rail-foot">
      <button class="ghost small" aria-label={`Theme: ${theme}. Change to ${next}`} title={`Theme: ${theme}`} onClick={() => setPref('theme', next)}>
        <Icon of={theme === 'system' ? SunMoon : theme === 'dark' ? Moon : Sun} />
      </button>
      <button class="ghost small" aria-label="Keyboard shortcuts" title="Keyboard shortcuts" onClick={() => show({ kind: 'keys' })}>
        <Icon of={CircleHelp} />
      </button>
      <PlaceButton to="workers" name="Workers" icon={Server} />
      {!solo && <PlaceButton to="organisations" name="Organisations and members" icon={Users} count={invitations.value.length} />}
      <PlaceButton to="settings" name="Settings, keys and devices" icon={Settings2} />
      {profile.value?.admin && !solo && <PlaceButton to="admin" name="Administration of this Hub" icon={ShieldCheck} />}
      {who.state === 'signed-in' && <span class="who" title={who.username}>{who.solo ? 'solo' : who.username}</span>}
    </div>
  );
}

/** To a place, and from it back to the workspace. */
export function PlaceButton({ to, name, icon, count = 0 }: { to: Route; name: string; icon: IconNode; count?: number }) {
  const here = route.value === to;
  return (
    <button class="ghost small place-button" aria-label={count > 0 ? `${name}: ${count} invitations` : name} title={name} aria-current={here ? 'page' : undefined}
      onClick={() => {
        go(here ? 'workspace' : to);
        closeDrawer();
      }}>
      <Icon of={icon} />
      {count > 0 && <span class="badge" aria-hidden="true">{count}</span>}
    </button>
  );
}
