/** The person's organisations: an overview, and a part for each. */

import { section } from '../state/route';
import { organisations } from '../state/organisations';
import { Places, type Place } from '../ui/Places';
import { displayText } from '../ui/text';
import { OrganisationPart } from './OrganisationPart';
import { Overview } from './Overview';

const OVERVIEW: Place = { section: '', name: 'Overview', show: () => <Overview /> };

export function OrganisationsPage() {
  const places = (organisations.value ?? []).map((one): Place => ({
    section: one.slug, name: displayText(one.name || one.slug, 40), show: () => <OrganisationPart key={one.organisationId} one={one} />,
  }));
  return <Places title="Organisations" route="organisations" places={[OVERVIEW, ...places]} at={section.value} wide />;
}
