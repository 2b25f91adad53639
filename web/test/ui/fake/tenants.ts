// What a Hub with several people, organisations and Workers answers, by method.

const DAY = 86_400_000;
const now = Date.now();
const ago = (days: number) => String(now - days * DAY);
const PQ = 'ENCRYPTION_MODE_POST_QUANTUM';
const key = (fill: number) => btoa(String.fromCharCode(...new Uint8Array(1984).fill(fill)));

const quotas = { members: 50, workers: 20, channels: 200, bytesPerSecond: '0' };
const me = { userId: 'u1', username: 'ada', displayName: 'Ada Lovelace', joinedUnixMs: ago(200) };
const organisations = [
  { organisationId: 'o1', slug: 'ada', name: 'ada', personal: true, role: 'ORGANISATION_ROLE_OWNER', quotas: { ...quotas, members: 1 }, usage: { members: 1, workers: 2, channels: 3 }, createdUnixMs: ago(200) },
  { organisationId: 'o2', slug: 'engine-works', name: 'Engine Works', role: 'ORGANISATION_ROLE_OWNER', quotas, usage: { members: 4, workers: 19, channels: 41 }, createdUnixMs: ago(90) },
  { organisationId: 'o3', slug: 'observatory', name: 'The Observatory', role: 'ORGANISATION_ROLE_MEMBER', quotas, usage: { members: 12, workers: 5, channels: 9 }, createdUnixMs: ago(20) },
];
const workspaces = [
  { workspaceId: 'ws1', title: 'Main', organisationId: 'o1', ownerUserId: 'u1', ownerUsername: 'ada', role: 'ROLE_OWNER', createdUnixMs: ago(100), workerIds: [] },
  { workspaceId: 'ws2', title: 'Difference engine', organisationId: 'o2', ownerUserId: 'u1', ownerUsername: 'ada', role: 'ROLE_OWNER', createdUnixMs: ago(60), workerIds: ['wk_7f3a9c'] },
  { workspaceId: 'ws3', title: 'Orbit tables', organisationId: 'o3', ownerUserId: 'u5', ownerUsername: 'caroline', role: 'ROLE_VIEWER', createdUnixMs: ago(10), workerIds: ['wk_5'] },
  { workspaceId: 'ws4', title: 'Old notes', organisationId: 'o1', ownerUserId: 'u1', ownerUsername: 'ada', role: 'ROLE_OWNER', createdUnixMs: ago(150), archivedUnixMs: ago(30), workerIds: [] },
];
const workers = [
  { workerId: 'wk_7f3a9c', name: 'workshop', online: true, encryptionMode: PQ, lastSeenUnixMs: ago(0), version: '0.1.0', registeredUnixMs: ago(80), organisationId: 'o2', ownerUserId: 'u1', ownerUsername: 'ada', owned: true, workspaceIds: ['ws2'] },
  { workerId: 'wk_2', name: 'build-server.engine-works.example', online: false, encryptionMode: PQ, lastSeenUnixMs: ago(3), registeredUnixMs: ago(40), organisationId: 'o1', ownerUserId: 'u1', ownerUsername: 'ada', owned: true, workspaceIds: [] },
  { workerId: 'wk_5', name: 'telescope', online: true, encryptionMode: 'ENCRYPTION_MODE_CLASSIC', lastSeenUnixMs: ago(0), registeredUnixMs: ago(15), organisationId: 'o3', ownerUserId: 'u5', ownerUsername: 'caroline', workspaceIds: ['ws3'] },
];
const members = [
  { ...me, role: 'ORGANISATION_ROLE_OWNER' },
  { userId: 'u2', username: 'charles', displayName: 'Charles Babbage', role: 'ORGANISATION_ROLE_ADMIN', joinedUnixMs: ago(80) },
  { userId: 'u3', username: 'mary', displayName: 'Mary Somerville', role: 'ORGANISATION_ROLE_MEMBER', joinedUnixMs: ago(30) },
  { userId: 'u4', username: 'augustus', displayName: '', role: 'ORGANISATION_ROLE_MEMBER', joinedUnixMs: ago(2) },
];
const certified = { newestSerial: '3', certifiedRole: 'ROLE_EDITOR', certifiedDeviceKey: key(2), certifiedUntilUnixMs: String(now + 25 * DAY) };

export const TENANTS: Record<string, object> = {
  WhoAmI: { signedIn: true, userId: 'u1', username: 'ada', organisationId: 'o1', hubVersion: '0.1.0', displayName: 'Ada Lovelace', hasPassword: true, admin: true },
  ListWorkers: { workers },
  ListWorkspaces: { workspaces },
  ListOrganisations: { organisations },
  ListMembers: { members },
  ListInvitations: { invitations: [
    { invitationId: 'i1', organisationId: 'o7', organisationName: 'Royal Society', organisationSlug: 'royal-society', role: 'ORGANISATION_ROLE_MEMBER', username: 'ada', invitedBy: 'john', createdUnixMs: ago(1), expiresUnixMs: String(now + 6 * DAY) },
    { invitationId: 'i2', organisationId: 'o2', organisationName: 'Engine Works', organisationSlug: 'engine-works', role: 'ORGANISATION_ROLE_MEMBER', username: '', invitedBy: 'ada', createdUnixMs: ago(1), expiresUnixMs: String(now + 5 * DAY), usesLeft: 4 },
  ] },
  CreateInviteLink: { secret: 'pP1kX0s6aVq3t8Zr2nWd7yLb5uHc9eJm' },
  CreateRegistrationKey: { expiresUnixMs: String(now + 300_000) },
  GetHandshakeParameters: { registrationId: 'Yx3kPq0vT2mB9aLw', online: true, encryptionMode: PQ },
  ListDevices: { devices: [
    { algorithm: 2, key: key(1), label: 'Firefox on Linux', createdUnixMs: ago(40), lastSeenUnixMs: ago(0) },
    { algorithm: 2, key: key(7), label: 'Safari on iPhone', createdUnixMs: ago(1), lastSeenUnixMs: ago(0) },
  ] },
  ListShares: { shares: [
    { grantee: { userId: 'u2' }, username: 'charles', role: 'ROLE_EDITOR', grantedUnixMs: ago(20) },
    { grantee: { userId: 'u3' }, username: 'mary', role: 'ROLE_VIEWER', grantedUnixMs: ago(2) },
    { grantee: { userId: 'u4' }, username: 'augustus', role: 'ROLE_VIEWER', grantedUnixMs: ago(1) },
  ] },
  ListGrantees: { grantees: [
    { workspaceId: 'ws2', userId: 'u2', username: 'charles', role: 'ROLE_EDITOR', devices: [{ algorithm: 2, key: key(2), label: 'Firefox on Linux' }], ...certified },
    { workspaceId: 'ws2', userId: 'u3', username: 'mary', role: 'ROLE_VIEWER', devices: [{ algorithm: 2, key: key(3), label: 'Safari on macOS' }] },
    { workspaceId: 'ws2', userId: 'u4', username: 'augustus', role: 'ROLE_VIEWER', devices: [] },
  ] },
};

/** What is not here is answered as an order that was done. */
export function tenantsAnswer(path: string, asked: Record<string, unknown>): object {
  if (path.endsWith('ListShares') && asked['workspaceId'] !== 'ws2') return {};
  return TENANTS[path.slice(path.lastIndexOf('/') + 1)] ?? {};
}
