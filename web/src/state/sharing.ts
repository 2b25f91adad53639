/** With whom a workspace is shared. A share lets somebody's channel through; what lets them in is the certificate. */

import type { MessageInitShape } from '@bufbuild/protobuf';
import { Role } from '../gen/leapmux/v1/channel_pb';
import {
  ListSharesRequestSchema, ListSharesResponseSchema,
  ShareWorkspaceRequestSchema, ShareWorkspaceResponseSchema,
  UnshareWorkspaceRequestSchema, UnshareWorkspaceResponseSchema,
  type GranteeSchema, type Share,
} from '../gen/leapmux/v1/workspaces_pb';
import { rpc } from '../hub/rpc';
import { certify, lower, tend } from './grants';
import { isMine, workers } from './workers';

/** A person, or all members of the workspace's organisation. */
export type Whom = { userId: string } | 'everybody';

export function whomOf({ grantee }: Share): Whom {
  return grantee?.whom.case === 'userId' ? { userId: grantee.whom.value } : 'everybody';
}

export async function listShares(workspaceId: string): Promise<Share[]> {
  return (await rpc('WorkspaceService/ListShares', ListSharesRequestSchema, { workspaceId }, ListSharesResponseSchema)).shares;
}

/**
 * A person's act: the certificate that can be made for it is made at once, for the role that was chosen. Who
 * everybody is only the Hub says: they are listed, and a person decides about those who stand there.
 */
export async function share(workspaceId: string, whom: Whom, role: Role): Promise<void> {
  await rpc('WorkspaceService/ShareWorkspace', ShareWorkspaceRequestSchema, { workspaceId, grantee: granteeOf(whom), role }, ShareWorkspaceResponseSchema);
  if (whom === 'everybody') return tendAll(workspaceId);
  await lowerAll(workspaceId, (userId) => userId === whom.userId, role);
  await decide(workspaceId, whom, role);
}

export async function unshare(workspaceId: string, whom: Whom): Promise<void> {
  await rpc('WorkspaceService/UnshareWorkspace', UnshareWorkspaceRequestSchema, { workspaceId, grantee: granteeOf(whom) }, UnshareWorkspaceResponseSchema);
  // Whoever has a share by name, which the person sees, keeps what stands with it.
  const named = whom === 'everybody' ? (await listShares(workspaceId)).map(whomOf) : [];
  const keeps = (userId: string) => named.some((one) => one !== 'everybody' && one.userId === userId);
  await lowerAll(workspaceId, (userId) => (whom === 'everybody' ? !keeps(userId) : userId === whom.userId), Role.UNSPECIFIED);
  await tendAll(workspaceId);
}

/** What this browser signed says so from now on, whatever the Hub goes on to list. */
async function lowerAll(workspaceId: string, whose: (userId: string) => boolean, role: Role): Promise<void> {
  await Promise.all(ownHosts(workspaceId).map((workerId) =>
    lower(workerId, (one) => one.workspaceId === workspaceId && whose(one.userId), role)));
}

async function tendAll(workspaceId: string): Promise<void> {
  await Promise.all(ownHosts(workspaceId).map((workerId) => tend(workerId).catch(() => undefined)));
}

/** Certifies at each Worker of one's own that hosts it. A Hub that lists them with a better role gets nothing signed. */
async function decide(workspaceId: string, whom: Whom, role: Role): Promise<void> {
  await Promise.all(ownHosts(workspaceId).map((workerId) => certify(workerId, (grant) => isOf(grant, workspaceId, whom) && grant.role <= role)));
}

export function ownHosts(workspaceId: string): string[] {
  return (workers.peek() ?? []).filter((one) => isMine(one) && one.workspaceIds.includes(workspaceId)).map((one) => one.workerId);
}

export function isOf(one: { workspaceId: string; userId: string }, workspaceId: string, whom: Whom): boolean {
  return one.workspaceId === workspaceId && (whom === 'everybody' || one.userId === whom.userId);
}

function granteeOf(whom: Whom): MessageInitShape<typeof GranteeSchema> {
  return { whom: whom === 'everybody' ? { case: 'organisation', value: true } : { case: 'userId', value: whom.userId } };
}
