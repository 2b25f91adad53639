/** For admins of the Hub. */

import { hub, profile } from '../state/account';
import { section } from '../state/route';
import { Places, type Place } from '../ui/Places';
import { Audit } from './Audit';
import { Channels } from './Channels';
import { HubSettings } from './HubSettings';
import { Organisations } from './Organisations';
import { RegistrationKeys } from './RegistrationKeys';
import { Users } from './Users';
import { Workers } from './Workers';

const PLACES: Place[] = [
  { section: '', name: 'Users', show: () => <Users /> },
  { section: 'organisations', name: 'Organisations', show: () => <Organisations /> },
  { section: 'workers', name: 'Workers', show: () => <Workers /> },
  { section: 'registration-keys', name: 'Registration keys', show: () => <RegistrationKeys /> },
  { section: 'channels', name: 'Open channels', show: () => <Channels /> },
  { section: 'audit', name: 'Audit log', show: () => <Audit /> },
  { section: 'settings', name: 'Settings', show: () => <HubSettings /> },
];

const NO_ADMIN: Place[] = [
  { section: '', name: 'Refused', show: () => <p class="notice">{hub.value.solo ? 'A solo Hub has nobody to administer.' : 'This is for admins of the Hub. Ask one of them.'}</p> },
];

export function Administration() {
  const places = profile.value?.admin && !hub.value.solo ? PLACES : NO_ADMIN;
  return <Places title="Administration" route="admin" places={places} at={section.value} wide />;
}
