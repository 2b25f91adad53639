// What the Hub that is not there answers about accounts and to admins.
import type { Scene } from './scenes';

const DAY = 86_400_000;
const now = Date.now();
const ago = (days: number) => String(Math.round(now - days * DAY));
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0';
const CHROME = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36';
const PHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1';

const hubFacts = { hubVersion: '0.1.0', signUpOpen: true, mailAvailable: true };
const ADA = {
  ...hubFacts, signedIn: true, userId: 'us_1', username: 'ada', organisationId: 'or_1', displayName: 'Ada Lovelace', email: 'ada@example.org',
  emailVerified: true, admin: true, hasPassword: true, credentialId: 'cr_1', scopes: ['read', 'workspaces', 'workers', 'organisations', 'channels'],
};

export interface Refused { status: number; code: string; message: string; retryAfter?: number }

/** Undefined: another part of the fake knows. */
export function accountAnswer(method: string, scene: Scene, body: Record<string, unknown>): object | Refused | undefined {
  const inside = scene === 'hub' || scene === 'hub-empty';
  switch (method) {
    case 'WhoAmI':
      if (inside) return ADA;
      if (scene === 'outside' || scene === 'locked' || scene === 'wrong') return hubFacts;
      if (scene === 'first-start') return { ...hubFacts, signUpOpen: false, mailAvailable: false, setupRequired: true };
      if (scene === 'closed') return { ...hubFacts, signUpOpen: false, mailAvailable: false };
      return undefined;
    case 'SignIn':
      return scene === 'locked' ? { status: 429, code: 'resource_exhausted', message: 'too many attempts; try again later', retryAfter: 95 }
        : { status: 401, code: 'unauthenticated', message: 'the user name or the password is wrong' };
    case 'SetUp':
      return { status: 401, code: 'unauthenticated', message: 'the access token is not valid' };
    case 'ListProviders':
      return scene === 'outside' || inside ? { providers: [{ providerId: 'github', name: 'GitHub', kind: 'github' }, { providerId: 'corp', name: 'Example Corp', kind: 'oidc' }] } : {};
    default:
      return inside ? (scene === 'hub-empty' ? {} : (INSIDE[method]?.(body) ?? (ORDER.test(method) ? {} : undefined))) : undefined;
  }
}

/** What only does something succeeds. */
const ORDER = /^(Begin|Delete|Set|Revoke|Force|Update|Change|Request|Decide|Accept|Unlink|Reset)/;

const INSIDE: Record<string, (body: Record<string, unknown>) => object> = {
  ListLinkedAccounts: () => ({ accounts: [{ providerId: 'github', providerName: 'GitHub', subject: '583231', email: 'ada@users.example', linkedUnixMs: ago(90) }] }),
  ListLogins: () => ({ logins: [
    { credentialId: 'cr_2', userAgent: PHONE, address: '2001:db8:4::7', createdUnixMs: ago(6), lastUsedUnixMs: ago(0.1), expiresUnixMs: ago(-6) },
    { credentialId: 'cr_1', userAgent: FIREFOX, address: '192.0.2.14', createdUnixMs: ago(3), lastUsedUnixMs: ago(0), expiresUnixMs: ago(-7), thisOne: true },
    { credentialId: 'cr_3', userAgent: CHROME, address: '198.51.100.23', createdUnixMs: ago(20), lastUsedUnixMs: ago(5.5), expiresUnixMs: ago(-1.5) },
  ] }),
  RevokeOtherLogins: () => ({ revoked: 2 }),
  ListApiTokens: () => ({ tokens: [
    { tokenId: 'at_1', label: 'nightly build', scopes: ['read', 'channels'], createdUnixMs: ago(40), lastUsedUnixMs: ago(0.3), expiresUnixMs: ago(-80) },
    { tokenId: 'at_2', label: 'leapmux remote on workshop', scopes: ['read', 'workspaces', 'workers', 'organisations', 'channels'], createdUnixMs: ago(2), expiresUnixMs: ago(-88) },
  ] }),
  CreateApiToken: (body) => ({ tokenId: 'at_3', accessToken: 'lma_Jq0example0access0token0of0the0fake0hub0A', accessExpiresUnixMs: ago(-1 / 24), refreshToken: 'lmr_Zx9example0refresh0token0of0the0fake0hub0', refreshExpiresUnixMs: ago(-90), scopes: body['scopes'] }),
  ListDelegations: () => ({ delegations: [{ credentialId: 'cr_9', workerId: 'wk_7f3a9c', workspaceId: 'ws_1', tabId: 't1', createdUnixMs: ago(0.01), expiresUnixMs: ago(-0.03) }] }),
  DescribeDeviceLogin: () => ({ client: 'leapmux remote 0.1.0 on build-server', address: '203.0.113.80', expiresUnixMs: ago(-0.006) }),
  AuthoriseCommandLine: (body) => ({ redirectTo: `${String(body['redirectUri'])}?code=c&state=s` }),
  ConfirmEmail: () => ({ email: 'ada@new.example' }),
  ListUsers: (body) => ({ users: USERS.filter((user) => user.username.includes(String(body['search'] ?? ''))), nextAfter: body['search'] ? '' : 'zoe' }),
  ListAllOrganisations: () => ({ organisations: [
    { organisationId: 'or_1', slug: 'ada', name: 'ada', personal: true, members: 1, workers: 2, workspaces: 3 },
    { organisationId: 'or_2', slug: 'engines', name: 'Analytical Engines', members: 7, workers: 12, workspaces: 9, maxMembers: 25, maxWorkers: 40, maxChannels: 200, maxBytesPerSecond: '50000000' },
  ] }),
  ListAllWorkers: () => ({ workers: [
    { workerId: 'wk_7f3a9c', name: 'workshop', online: true, ownerUsername: 'ada', version: '0.1.0' },
    { workerId: 'wk_2', name: 'build-server', online: false, ownerUsername: 'grace', version: '0.1.0', lastSeenUnixMs: ago(1.2) },
  ] }),
  ListRegistrationKeys: () => ({ keys: [{ keyId: '9f2c4e6a8b0d1f35', userId: 'us_1', username: 'ada', workerName: 'lab-machine', expiresUnixMs: ago(-0.002) }, { keyId: '0b7d13fe9c2280b7', userId: 'us_2', username: 'grace', expiresUnixMs: ago(-0.003) }] }),
  ListChannels: () => ({ channels: ['ada', 'ada', 'grace'].map((username, at) => ({ channelId: `${at}f1c0a5be2d94774a1c6b3f0d2e85917`, username, userId: `us_${at}`, workerId: at ? 'wk_2' : 'wk_7f3a9c', organisationId: 'or_2', credentialId: `cr_${at}` })) }),
  ListAudit: (body) => ({ entries: AUDIT.filter((one) => one.action.startsWith(String(body['action'] ?? ''))) }),
  VerifyAudit: () => ({ intact: true, entries: '48211', head: 'jxwKW+LZR3Shxrbw0uhZF8SmC30T/pwigLfV5PajHAk=' }),
  GetSettings: () => ({ signUpOpen: true }),
  UpdateSettings: (body) => body,
};

const USERS = [
  { userId: 'us_1', username: 'ada', displayName: 'Ada Lovelace', email: 'ada@example.org', emailVerified: true, admin: true, hasPassword: true, createdUnixMs: ago(200), logins: 3, apiTokens: 2, workers: 2 },
  { userId: 'us_2', username: 'grace', displayName: 'Grace Hopper', email: 'grace@example.org', emailVerified: true, admin: true, hasPassword: true, createdUnixMs: ago(180), logins: 1, workers: 4 },
  { userId: 'us_3', username: 'linus', displayName: 'linus', hasPassword: true, createdUnixMs: ago(90), lockedUntilUnixMs: ago(-0.01), logins: 0 },
  { userId: 'us_4', username: 'margaret', displayName: 'Margaret Hamilton', email: 'margaret@example.org', createdUnixMs: ago(30), logins: 2, apiTokens: 1 },
  { userId: 'us_5', username: 'temp-contractor', displayName: 'A name \u202e\u0007that tries to be clever', disabled: true, hasPassword: true, createdUnixMs: ago(11) },
];

const AUDIT = [
  ['login.made', 'user', 'us_1', 'credential', 'cr_1', ''], ['login.failed', 'anonymous', '', 'user', 'us_3', 'password'], ['login.failed', 'anonymous', '', 'user', 'us_3', 'locked'],
  ['member.role', 'user', 'us_2', 'user', 'us_4', 'admin'], ['worker.registered', 'worker', 'wk_01hzy8w4xkq2p9', 'worker', 'wk_01hzy8w4xkq2p9', ''], ['share.withdrawn', 'user', 'us_1', 'workspace', 'ws_01hzy8w4xkq2p9', 'viewer'],
  ['user.disabled', 'operator', 'root', 'user', 'us_5', ''], ['setting.changed', 'user', 'us_1', 'setting', 'sign_up', 'open'], ['token.expired', 'hub', '', 'credential', 'cr_77', ''],
].map(([action = '', actorKind, actorId, objectKind, objectId, detail], at) => ({
  seq: String(48211 - at), atUnixMs: ago(at / 7), action, actorKind, actorId, objectKind, objectId, detail, address: actorKind === 'operator' || actorKind === 'hub' ? '' : '192.0.2.14',
  organisationId: action.startsWith('member') ? 'or_2' : '', hash: 'jxwKW+LZR3Shxrbw0uhZF8SmC30T/pwigLfV5PajHAk=',
}));
