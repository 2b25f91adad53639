/** For admins of the Hub. */

import { profile } from '../state/account';
import { section } from '../state/route';
import { Places, type Place } from '../ui/Places';

const PLACES: Place[] = [];

export function Administration() {
  if (!profile.value?.admin) {
    const place: Place = { section: '', name: '', show: () => <p class="notice">This is for admins of the Hub. Ask one of them.</p> };
    return <Places title="Administration" route="admin" places={[place]} at="" />;
  }
  return <Places title="Administration" route="admin" places={PLACES} at={section.value} wide />;
}
