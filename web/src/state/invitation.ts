/** A link into an organisation: its secret came behind `#` and is worth a membership. */

import { AcceptInvitationRequestSchema, AcceptInvitationResponseSchema } from '../gen/leapmux/v1/organisations_pb';
import { rpc } from '../hub/rpc';

/** Resolves to the organisation's id. */
export async function acceptLink(secret: string): Promise<string> {
  const request = { secret };
  return (await rpc('OrganisationService/AcceptInvitation', AcceptInvitationRequestSchema, request, AcceptInvitationResponseSchema)).organisationId;
}
