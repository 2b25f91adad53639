import { create, toJson, type DescMessage } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { ChannelThread, GrantToSign, KeyWork } from '../../src/channel/handle';
import { Role } from '../../src/gen/leapmux/v1/channel_pb';
import { EncryptionMode } from '../../src/gen/leapmux/v1/worker_pb';
import { WorkerSchema } from '../../src/gen/leapmux/v1/workers_pb';
import { GranteeDevicesSchema, ListGranteesResponseSchema, UserDeviceKeySchema, type GranteeDevices } from '../../src/gen/leapmux/v1/workspaces_pb';
import { useThread } from '../../src/state/channels';
import { firstKey, nextGrant, saw, standingOf } from '../../src/state/due';
import { certify, keySignedHere, tend, undecided } from '../../src/state/grants';
import { share, unshare } from '../../src/state/sharing';
import { workers } from '../../src/state/workers';

const NOW = 1_800_000_000_000;
const DAY = 86_400_000;
const KEY = new Uint8Array(1984).fill(5);
const device = (fill: number, createdUnixMs: number, algorithm = 2) =>
  create(UserDeviceKeySchema, { algorithm, key: new Uint8Array(algorithm === 2 ? 1984 : 32).fill(fill), createdUnixMs: BigInt(createdUnixMs) });
const grantee = (change: Partial<Omit<GranteeDevices, '$typeName' | '$unknown' | 'devices'>> & { devices?: ReturnType<typeof device>[] } = {}) =>
  create(GranteeDevicesSchema, { workspaceId: 'ws', userId: 'mary', username: 'mary', role: Role.VIEWER, devices: [device(5, 1)], ...change });
const certified = (days: number, change: Parameters<typeof grantee>[0] = {}) =>
  grantee({ certifiedRole: Role.VIEWER, certifiedDeviceKey: KEY, certifiedUntilUnixMs: BigInt(NOW + days * DAY), newestSerial: 4n, ...change });

describe('what is due', () => {
  it.each([
    ['somebody new', grantee(), 'due'],
    ['somebody without a device', grantee({ devices: [] }), 'waiting'],
    ['somebody with a certificate', certified(20), 'certified'],
    ['one whose certificate has ended', certified(-1), 'due'],
    ['another role', certified(20, { role: Role.EDITOR }), 'due'],
    ['another first device', certified(20, { devices: [device(6, 1)] }), 'due'],
    ['a further device', certified(20, { devices: [device(6, 9), device(5, 1)] }), 'certified'],
    ['a withdrawn share', certified(20, { role: Role.UNSPECIFIED }), 'due'],
    ['a withdrawn share whose certificate has ended', certified(-1, { role: Role.UNSPECIFIED }), 'none'],
  ] as const)('for %s is %s', (_what, one, standing) => {
    expect(standingOf(one, 'post-quantum', NOW)).toBe(standing);
  });

  it('is renewed when less than ten days are left, for less than thirty', () => {
    expect(nextGrant('w', certified(11), 'post-quantum', NOW)).toBeUndefined();
    const grant = nextGrant('w', certified(9), 'post-quantum', NOW)!;
    expect(grant).toMatchObject({ workerId: 'w', workspaceId: 'ws', userId: 'mary', role: Role.VIEWER, serial: BigInt(NOW), deviceKey: KEY });
    expect(nextGrant('w', certified(9, { newestSerial: BigInt(NOW) + 7n }), 'post-quantum', NOW)!.serial).toBe(BigInt(NOW) + 8n);
    expect(grant.expiresAt * 1000 - NOW).toBeGreaterThan(28 * DAY);
    expect(grant.expiresAt * 1000 - NOW).toBeLessThan(30 * DAY);
  });

  it('names the certified device in a withdrawal, and nobody where nobody has a device', () => {
    expect(nextGrant('w', certified(5, { role: Role.UNSPECIFIED, devices: [] }), 'post-quantum', NOW)).toMatchObject({ role: Role.UNSPECIFIED, deviceKey: KEY });
    expect(nextGrant('w', grantee({ devices: [] }), 'post-quantum', NOW)).toBeUndefined();
  });

  it('is for the first device as a Worker of this mode knows it', () => {
    const both = [device(6, 9), device(5, 1)];
    expect(firstKey(both, 'post-quantum')).toEqual(KEY);
    expect(firstKey(both, 'classic')).toEqual(KEY.slice(0, 32));
    expect(firstKey([device(3, 1, 1)], 'classic')).toEqual(new Uint8Array(32).fill(3));
    expect(firstKey([device(3, 1, 1)], 'post-quantum')).toBeUndefined();
  });
});

describe('the owner’s page', () => {
  let list: GranteeDevices[];
  let published: unknown[];
  let signed: KeyWork['sign-grants']['asked'][];
  /** As the thread: nothing without an act but for mary. */
  const admits = ({ userId }: GrantToSign, acted: boolean) => acted || userId === 'mary';

  useThread(() => ({
    work: async (kind: string, asked: KeyWork['sign-grants']['asked']) => {
      // The newest of each, as the store has it.
      if (kind === 'signed-grants') return [...new Map(signed.flatMap(({ grants }) => grants).map((one) => [`${one.workspaceId} ${one.userId}`, one])).values()];
      signed.push(asked);
      return asked.grants.map((grant) => (admits(grant, asked.acted) ? new Uint8Array([1]) : undefined));
    },
    onStatus: () => () => undefined,
  }) as unknown as ChannelThread);

  beforeEach(() => {
    [published, signed] = [[], []];
    undecided.value = new Map();
    vi.stubGlobal('navigator', {});
    workers.value = [create(WorkerSchema, { workerId: 'w', owned: true, encryptionMode: EncryptionMode.POST_QUANTUM, workspaceIds: ['ws'] })];
    vi.stubGlobal('fetch', async (path: string, { body }: { body: string }) => {
      if (path.endsWith('PublishGrants')) published.push(...(JSON.parse(body) as { signed: unknown[] }).signed);
      const answer = path.endsWith('ListGrantees') ? toJson(ListGranteesResponseSchema as DescMessage, create(ListGranteesResponseSchema, { grantees: list })) : {};
      return new Response(JSON.stringify(answer));
    });
  });

  it('renews by itself what the thread allows, and leaves the rest to a person', async () => {
    list = [grantee(), grantee({ userId: 'stranger', username: 'stranger' })];
    await tend('w');
    expect(signed.map(({ acted, mode }) => [acted, mode])).toEqual([[false, 'post-quantum']]);
    expect(published).toHaveLength(1);
    expect(undecided.value.get('w')!.map(({ userId }) => userId)).toEqual(['stranger']);
    expect(await certify('w', (one) => one.userId === 'stranger')).toBe(1);
    expect(signed.at(-1)).toMatchObject({ acted: true, grants: [{ userId: 'stranger' }] });
    expect(published).toHaveLength(2);
  });

  it('signs for the role that a person chose, and nothing where the Hub lists more', async () => {
    list = [grantee({ role: Role.EDITOR }), grantee({ userId: 'ann', role: Role.OWNER }), grantee({ userId: 'bob', workspaceId: 'another' })];
    await share('ws', { userId: 'mary' }, Role.VIEWER);
    await share('ws', { userId: 'ann' }, Role.EDITOR);
    await share('ws', { userId: 'bob' }, Role.VIEWER);
    expect(signed.filter(({ acted }) => acted)).toEqual([]);
    signed = [];
    await share('ws', { userId: 'mary' }, Role.EDITOR);
    expect(signed).toMatchObject([{ acted: true, grants: [{ userId: 'mary', role: Role.EDITOR }] }]);
  });

  it('takes back what it signed, and signs less, although the Hub goes on listing the same', async () => {
    list = [grantee({ role: Role.EDITOR })];
    await share('ws', { userId: 'mary' }, Role.EDITOR);
    [signed, published] = [signed.slice(-1), []];
    await share('ws', { userId: 'mary' }, Role.VIEWER);
    expect(signed[1]).toMatchObject({ acted: true, grants: [{ userId: 'mary', role: Role.VIEWER, deviceKey: KEY }] });
    await unshare('ws', { userId: 'mary' });
    expect(signed[2]).toMatchObject({ acted: true, grants: [{ userId: 'mary', role: Role.UNSPECIFIED, deviceKey: KEY }] });
    expect(published.length).toBeGreaterThanOrEqual(2);
  });

  it('signs for nobody in particular when all are meant: who they are only the Hub says', async () => {
    list = [grantee({ userId: 'invented' })];
    await share('ws', 'everybody', Role.EDITOR);
    expect(published).toEqual([]);
    expect(undecided.value.get('w')!.map(({ userId }) => userId)).toEqual(['invented']);
  });

  it('signs what a person saw, and nothing where the Hub says another key or role by then', async () => {
    const seen = grantee();
    const other = KEY.slice();
    other[1983] = 6;
    for (const now of [grantee({ devices: [create(UserDeviceKeySchema, { algorithm: 2, key: other })] }), grantee({ role: Role.EDITOR }), grantee({ userId: 'ann' })]) {
      list = [now];
      expect(await certify('w', saw(seen, KEY))).toBe(0);
    }
    expect(signed).toEqual([]);
    list = [seen];
    expect(await certify('w', saw(seen, KEY))).toBe(1);
    expect(signed[0]!.grants).toHaveLength(1);
  });

  it('knows of itself which key it certified, whatever the Hub lists', async () => {
    list = [grantee()];
    await certify('w', saw(grantee(), KEY));
    list = [certified(20, { certifiedDeviceKey: new Uint8Array(1984).fill(9) })];
    expect(keySignedHere('w', list[0]!)).toEqual(KEY);
    expect(keySignedHere('w', grantee({ userId: 'ann' }))).toBeUndefined();
  });

  it('signs nothing where nothing is due, and nothing for a Worker of somebody else', async () => {
    list = [create(GranteeDevicesSchema, { ...certified(20), certifiedUntilUnixMs: BigInt(Date.now() + 20 * DAY) })];
    await tend('w');
    workers.value = [create(WorkerSchema, { workerId: 'w', ownerUserId: 'other', encryptionMode: EncryptionMode.POST_QUANTUM })];
    list = [grantee()];
    await tend('w');
    expect(signed).toEqual([]);
    expect(published).toEqual([]);
  });

  it('publishes at most 64 at once', async () => {
    list = Array.from({ length: 130 }, (_, at) => grantee({ workspaceId: `ws${at}` }));
    await tend('w');
    expect(published).toHaveLength(130);
  });
});
