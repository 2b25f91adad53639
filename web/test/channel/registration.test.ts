import { fromBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { base64url } from '../../src/channel/base64url';
import type { KeyWork, ToThread } from '../../src/channel/door';
import { encoded } from '../../src/channel/key-work';
import { fitting } from '../../src/channel/certificates';
import { deviceTag, workerTag } from '../../src/crypto/registration';
import { verify, type SignedParts } from '../../src/crypto/signed';
import { ascii, type Bytes } from '../../src/crypto/wire';
import { DeviceCertificateSchema, GrantCertificateSchema, Role, SignedSchema } from '../../src/gen/leapmux/v1/channel_pb';
import { IDENTITY, USER_ID, WORKER_ID } from '../support/fake-worker';
import { Rig, settle } from '../support/rig';
import { hex, type StatementVector, vectors } from '../support/vectors';

let nextId = 1;
async function worked<K extends keyof KeyWork>(rig: Rig, work: K, asked: KeyWork[K]['asked']): Promise<KeyWork[K]['answer']> {
  const id = nextId++;
  rig.ask({ kind: 'work', id, work, asked } as Extract<ToThread, { kind: 'work' }>);
  for (let turn = 0; turn < 50 && !rig.of('worked').some((one) => one.id === id); turn++) await settle(10);
  return rig.of('worked').find((one) => one.id === id)!.answer as KeyWork[K]['answer'];
}

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, 'base64url'));

async function registered(): Promise<{ rig: Rig; id: string; secret: Uint8Array }> {
  const rig = new Rig();
  const made = await worked(rig, 'begin-registration', { userId: USER_ID, mode: 'classic' });
  return { rig, id: made.registrationId, secret: bytesOf(made.secret) };
}

describe('a registration', () => {
  it('has an id and a secret as the Worker reads them, and a tag over this device', async () => {
    const rig = new Rig();
    const made = await worked(rig, 'begin-registration', { userId: USER_ID, mode: 'post-quantum' });
    expect(made.registrationId).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(made.secret).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(made.deviceKey).toHaveLength(1984);
    expect(made.deviceTag).toEqual(deviceTag(bytesOf(made.secret), made.registrationId, USER_ID, 2, made.deviceKey));
  });

  it('makes the key verified without a person, and its secret is gone then', async () => {
    const { rig, id, secret } = await registered();
    rig.registration = { registrationId: id, registrationTag: workerTag(secret, id, IDENTITY.public.bytes) };
    await rig.open();
    expect(rig.last).toMatchObject({ state: 'ready', verified: true });
    rig.ask({ kind: 'forget-pin', id: 900, workerId: WORKER_ID });
    await settle();
    rig.ask({ kind: 'close', workerId: WORKER_ID });
    await rig.open();
    expect(rig.last).toMatchObject({ state: 'ready', verified: false });
  });

  it.each([
    ['another key', (secret: Uint8Array, id: string) => workerTag(secret, id, new Uint8Array(1664))],
    ['a missing tag', () => new Uint8Array(0) as Bytes],
    ['another secret', (_: Uint8Array, id: string) => workerTag(new Uint8Array(32), id, IDENTITY.public.bytes)],
  ])('stops everything at %s', async (_what, tag) => {
    const { rig, id, secret } = await registered();
    rig.registration = { registrationId: id, registrationTag: tag(secret, id) };
    await rig.open();
    expect(rig.last).toMatchObject({ state: 'blocked', reason: 'registration_mismatch' });
    expect(rig.hub.channels).toHaveLength(0);
    expect(await (await rig.pins()).all()).toEqual([]);
  });

  it('that was made elsewhere vouches for nothing here', async () => {
    const rig = new Rig();
    rig.registration = { registrationId: 'made-in-another-browser', registrationTag: new Uint8Array(64) };
    await rig.open();
    expect(rig.last).toMatchObject({ state: 'ready', verified: false });
  });

  it('is forgotten when its dialog is closed', async () => {
    const { rig, id, secret } = await registered();
    await worked(rig, 'forget-registration', { registrationId: id });
    rig.registration = { registrationId: id, registrationTag: workerTag(secret, id, IDENTITY.public.bytes) };
    await rig.open();
    expect(rig.last).toMatchObject({ state: 'ready', verified: false });
  });
});

describe('certificates', () => {
  const grant = { workerId: WORKER_ID, workspaceId: 'ws1', userId: 'guest', deviceKey: new Uint8Array(1984).fill(3), role: Role.VIEWER, serial: 4n, expiresAt: 1_790_000_000 };

  it.each(['classic', 'post-quantum'] as const)('are signed for one Worker, with every field (%s)', async (mode) => {
    const rig = new Rig();
    const [bytes] = await worked(rig, 'sign-grants', { mode, grants: [grant], acted: true });
    const signed = fromBinary(SignedSchema, bytes!) as unknown as SignedParts;
    verify(mode, 'leapmux grant v1', ascii(WORKER_ID), signed);
    expect(() => verify(mode, 'leapmux grant v1', ascii('another'), signed)).toThrow();
    expect(fromBinary(GrantCertificateSchema, signed.body)).toMatchObject({
      workerId: WORKER_ID, workspaceId: 'ws1', granteeUserId: 'guest', granteeDeviceAlgorithm: mode === 'classic' ? 1 : 2,
      granteeDeviceKey: grant.deviceKey, role: Role.VIEWER, serial: 4n, expiresAt: 1_790_000_000n,
    });
  });

  it('are signed without a person only where they give no more than was given before', async () => {
    const rig = new Rig();
    const sign = async (change: Partial<typeof grant>, acted = false) => (await worked(rig, 'sign-grants', { mode: 'classic', grants: [{ ...grant, ...change }], acted }))[0];
    const serialOf = (bytes: Uint8Array | undefined) => fromBinary(GrantCertificateSchema, fromBinary(SignedSchema, bytes!).body).serial;
    const role = (change: number) => ({ role: change as Role.VIEWER });
    expect(await sign({})).toBeUndefined();
    expect(serialOf(await sign({}, true))).toBe(4n);
    // What the Hub says of serials is not believed where it is too low.
    expect(serialOf(await sign({ serial: 1n }))).toBe(5n);
    expect(await sign(role(Role.EDITOR))).toBeUndefined();
    expect(await sign({ deviceKey: new Uint8Array(1984).fill(4) })).toBeUndefined();
    expect(await sign({ userId: 'stranger' })).toBeUndefined();
    expect(await sign({ workspaceId: 'another' })).toBeUndefined();
    expect(serialOf(await sign(role(Role.EDITOR), true))).toBe(6n);
    expect(serialOf(await sign(role(Role.UNSPECIFIED)))).toBe(7n);
    expect(await sign(role(Role.VIEWER))).toBeUndefined();
  });

  it('are remembered here by whom they name, with key and role', async () => {
    const rig = new Rig();
    await worked(rig, 'sign-grants', { mode: 'classic', grants: [grant, { ...grant, workerId: 'another' }], acted: true });
    await worked(rig, 'sign-grants', { mode: 'classic', grants: [{ ...grant, userId: 'stranger' }], acted: false });
    expect(await worked(rig, 'signed-grants', { workerId: WORKER_ID })).toEqual([{ workspaceId: 'ws1', userId: 'guest', deviceKey: grant.deviceKey, role: Role.VIEWER }]);
  });

  it('are not signed with a serial that leaves none for a withdrawal', async () => {
    const rig = new Rig();
    const sign = async (serial: bigint, role: number) => (await worked(rig, 'sign-grants', { mode: 'classic', grants: [{ ...grant, serial, role: role as Role.VIEWER }], acted: true }))[0];
    expect(await sign(2n ** 53n + 1n, Role.VIEWER)).toBeUndefined();
    expect(await sign(2n ** 64n - 1n, Role.UNSPECIFIED)).toBeUndefined();
    expect(await sign(2n ** 53n, Role.VIEWER)).toBeDefined();
    expect(await sign(1n, Role.UNSPECIFIED)).toBeDefined();
  });

  it('introduce another device of the same person', async () => {
    const rig = new Rig();
    const bytes = await worked(rig, 'sign-device', { mode: 'post-quantum', userId: USER_ID, key: new Uint8Array(1984).fill(9), serial: 1n, expiresAt: 1_790_000_000 });
    const signed = fromBinary(SignedSchema, bytes) as unknown as SignedParts;
    verify('post-quantum', 'leapmux device v1', ascii(USER_ID), signed);
    expect(fromBinary(DeviceCertificateSchema, signed.body)).toMatchObject({ userId: USER_ID, deviceAlgorithm: 2, serial: 1n });
  });

  it('of the other language read as the same fields, and travel as they were signed', () => {
    const { statements } = vectors<{ statements: StatementVector[] }>('statements.json');
    for (const one of statements.filter(({ label }) => label === 'leapmux grant v1')) {
      const parts = { algorithm: one.algorithm, key: hex(one.key), body: hex(one.body), signature: hex(one.signature) };
      const read = fromBinary(SignedSchema, encoded(parts)) as unknown as SignedParts;
      verify(one.mode, one.label, hex(one.context), read);
      const body = fromBinary(GrantCertificateSchema, read.body);
      expect(Buffer.from(one.context, 'hex').toString()).toBe(body.workerId);
      expect(body.granteeDeviceAlgorithm).toBe(one.algorithm);
      expect([Role.VIEWER, Role.EDITOR]).toContain(body.role);
      expect(body.expiresAt).toBeGreaterThan(0n);
    }
  });

  it('of this device go before grants, and those of other devices stay behind', async () => {
    const rig = new Rig();
    const { key } = await worked(rig, 'own-device', { mode: 'classic' });
    const [one] = await worked(rig, 'sign-grants', { mode: 'classic', grants: [grant], acted: true });
    const introduce = async (of: Uint8Array) => worked(rig, 'sign-device', { mode: 'classic', userId: USER_ID, key: of, serial: 1n, expiresAt: 1_790_000_000 });
    const [given, own, other] = [one!, await introduce(key), await introduce(new Uint8Array(32).fill(8))].map((bytes) => fromBinary(SignedSchema, bytes));
    expect(fitting([given!, other!, own!], 'classic', key as Bytes)).toEqual([own, given]);
  });

  it('go along with the claim, as many as a Worker takes', async () => {
    const rig = new Rig();
    const bytes = await worked(rig, 'sign-grants', { mode: 'post-quantum', grants: Array.from({ length: 12 }, (_, at) => ({ ...grant, workspaceId: `ws${at}` })), acted: true }) as Uint8Array[];
    const grants = bytes.map((one) => fromBinary(SignedSchema, one));
    const kept = fitting(grants, 'post-quantum', new Uint8Array(1984));
    expect(kept.length).toBeGreaterThan(4);
    expect(kept.length).toBeLessThanOrEqual(8);
    expect(bytes[0]!.length * kept.length).toBeLessThan(60_000);
    // Those of another mode no Worker of this one can read.
    expect(fitting(grants, 'classic', new Uint8Array(32))).toEqual([]);
    rig.certificates = (await worked(rig, 'sign-grants', { mode: 'classic', grants: [grant, { ...grant, workspaceId: 'ws2' }], acted: true })).map((one) => fromBinary(SignedSchema, one!));
    await rig.open();
    expect(rig.last.state).toBe('ready');
    expect(rig.hub.channels[0]!.claim?.certificates).toHaveLength(2);
  });
});

it('base64url is what others call it', () => {
  for (let length = 0; length < 70; length++) {
    const bytes = crypto.getRandomValues(new Uint8Array(length));
    expect(base64url(bytes)).toBe(Buffer.from(bytes).toString('base64url'));
  }
});
