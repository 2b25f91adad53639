/** Organisations that the person belongs to, their members and invitations. Orders throw what the Hub refused. */

import { computed, signal } from '@preact/signals';
import {
  AcceptInvitationRequestSchema, AcceptInvitationResponseSchema,
  ChangeRoleRequestSchema, ChangeRoleResponseSchema,
  CreateInviteLinkRequestSchema, CreateInviteLinkResponseSchema,
  CreateOrganisationRequestSchema, CreateOrganisationResponseSchema,
  DeclineInvitationRequestSchema, DeclineInvitationResponseSchema,
  DeleteOrganisationRequestSchema, DeleteOrganisationResponseSchema,
  InviteMemberRequestSchema, InviteMemberResponseSchema,
  ListInvitationsRequestSchema, ListInvitationsResponseSchema,
  ListMembersRequestSchema, ListMembersResponseSchema,
  ListOrganisationsRequestSchema, ListOrganisationsResponseSchema,
  OrganisationRole,
  RemoveMemberRequestSchema, RemoveMemberResponseSchema,
  RevokeInvitationRequestSchema, RevokeInvitationResponseSchema,
  UpdateOrganisationRequestSchema, UpdateOrganisationResponseSchema,
  type Invitation, type Member, type Organisation,
} from '../gen/leapmux/v1/organisations_pb';
import { rpc } from '../hub/rpc';
import { displayText } from '../ui/text';
import { onMissed, onNews } from './events';

export const organisations = signal<Organisation[] | undefined>(undefined);
/** Invitations to the person. */
export const invitations = signal<Invitation[]>([]);
/** Rises when members or invitations of any of them may have changed. */
export const memberNews = signal(0);

export const personal = computed(() => organisations.value?.find((one) => one.personal));

export function organisationOf(id: string): Organisation | undefined {
  return organisations.value?.find((one) => one.organisationId === id);
}

export function organisationName(id: string): string {
  const one = organisationOf(id);
  return displayText(one?.name || one?.slug || '', 60) || 'another organisation';
}

export async function followOrganisations(): Promise<void> {
  onMissed(() => void readOrganisations());
  onNews((news) => {
    if (news.case === 'organisationsChanged') void readOrganisations();
  });
  await readOrganisations();
}

export async function readOrganisations(): Promise<void> {
  const [list, to] = await Promise.allSettled([
    rpc('OrganisationService/ListOrganisations', ListOrganisationsRequestSchema, {}, ListOrganisationsResponseSchema),
    rpc('OrganisationService/ListInvitations', ListInvitationsRequestSchema, {}, ListInvitationsResponseSchema),
  ]);
  if (list.status === 'fulfilled') organisations.value = list.value.organisations;
  if (to.status === 'fulfilled') invitations.value = to.value.invitations;
  memberNews.value += 1;
}

export const ROLES: Record<OrganisationRole, string> = {
  [OrganisationRole.UNSPECIFIED]: 'none',
  [OrganisationRole.MEMBER]: 'Member',
  [OrganisationRole.ADMIN]: 'Admin',
  [OrganisationRole.OWNER]: 'Owner',
};

/** What somebody of this role may make of others: an admin neither makes owners nor touches them. */
export function rolesToGive(mine: OrganisationRole): OrganisationRole[] {
  const all = [OrganisationRole.MEMBER, OrganisationRole.ADMIN, OrganisationRole.OWNER];
  return mine === OrganisationRole.OWNER ? all : mine === OrganisationRole.ADMIN ? all.slice(0, 2) : [];
}

export async function createOrganisation(slug: string, name: string): Promise<string> {
  const { organisation } = await rpc('OrganisationService/CreateOrganisation', CreateOrganisationRequestSchema, { slug, name }, CreateOrganisationResponseSchema);
  await readOrganisations();
  return organisation?.organisationId ?? '';
}

export async function updateOrganisation(organisationId: string, slug: string, name: string): Promise<void> {
  await rpc('OrganisationService/UpdateOrganisation', UpdateOrganisationRequestSchema, { organisationId, slug, name }, UpdateOrganisationResponseSchema);
  await readOrganisations();
}

export async function deleteOrganisation(organisationId: string, slug: string): Promise<void> {
  await rpc('OrganisationService/DeleteOrganisation', DeleteOrganisationRequestSchema, { organisationId, slug }, DeleteOrganisationResponseSchema);
  await readOrganisations();
}

export async function listMembers(organisationId: string): Promise<Member[]> {
  return (await rpc('OrganisationService/ListMembers', ListMembersRequestSchema, { organisationId }, ListMembersResponseSchema)).members;
}

export async function listInvitations(organisationId: string): Promise<Invitation[]> {
  return (await rpc('OrganisationService/ListInvitations', ListInvitationsRequestSchema, { organisationId }, ListInvitationsResponseSchema)).invitations;
}

export async function inviteMember(organisationId: string, username: string, role: OrganisationRole): Promise<void> {
  await rpc('OrganisationService/InviteMember', InviteMemberRequestSchema, { organisationId, username, role }, InviteMemberResponseSchema);
}

export interface LinkWish {
  role: OrganisationRole;
  uses: number;
  lifetimeSeconds: number;
}

/** The whole link. Its secret stands behind `#`, where no server and no log sees it. */
export async function createInviteLink(organisationId: string, wish: LinkWish): Promise<string> {
  const { secret } = await rpc('OrganisationService/CreateInviteLink', CreateInviteLinkRequestSchema, { organisationId, ...wish }, CreateInviteLinkResponseSchema);
  return `${location.origin}/join#${secret}`;
}

export async function revokeInvitation(invitationId: string): Promise<void> {
  await rpc('OrganisationService/RevokeInvitation', RevokeInvitationRequestSchema, { invitationId }, RevokeInvitationResponseSchema);
}

export async function acceptInvitation(invitationId: string): Promise<void> {
  await rpc('OrganisationService/AcceptInvitation', AcceptInvitationRequestSchema, { invitationId }, AcceptInvitationResponseSchema);
  await readOrganisations();
}

export async function declineInvitation(invitationId: string): Promise<void> {
  await rpc('OrganisationService/DeclineInvitation', DeclineInvitationRequestSchema, { invitationId }, DeclineInvitationResponseSchema);
  await readOrganisations();
}

export async function changeRole(organisationId: string, userId: string, role: OrganisationRole): Promise<void> {
  await rpc('OrganisationService/ChangeRole', ChangeRoleRequestSchema, { organisationId, userId, role }, ChangeRoleResponseSchema);
}

/** Oneself too: to leave. */
export async function removeMember(organisationId: string, userId: string): Promise<void> {
  await rpc('OrganisationService/RemoveMember', RemoveMemberRequestSchema, { organisationId, userId }, RemoveMemberResponseSchema);
  await readOrganisations();
}
