// A Worker that changes its keys under the signature of its old ones, and post-quantum mode as a whole.

import { create, toBinary } from '@bufbuild/protobuf';
import { IDBFactory } from 'fake-indexeddb';
import { describe, expect, it } from 'vitest';
import type { Pin } from '../../src/channel/pins';
import { followedRotation } from '../../src/channel/trust';
import { fullFingerprint } from '../../src/crypto/fingerprint';
import { type Bytes, concat } from '../../src/crypto/wire';
import { SignedSchema } from '../../src/gen/leapmux/v1/channel_pb';
import { IDENTITY, WORKER_ID } from '../support/fake-worker';
import { Rig, settle } from '../support/rig';
import { type StatementVector, hex, vectors } from '../support/vectors';

const statement = vectors<{ statements: StatementVector[] }>('statements.json').statements.find((one) => one.algorithm === 3)!;
const parts = { algorithm: 3, key: hex(statement.key), body: hex(statement.body), signature: hex(statement.signature) };
const encoded = (over: Partial<typeof parts> = {}): Bytes => toBinary(SignedSchema, create(SignedSchema, { ...parts, ...over })) as Bytes;

/** Before the rotation: another X25519 key, the same SLH-DSA key that signed it. */
const oldKey = concat(new Uint8Array(32).fill(3), IDENTITY.public.bytes.slice(32));
const pin: Pin = {
  workerId: WORKER_ID, publicKey: oldKey, mode: 'post-quantum', firstSeen: 1, lastUsed: 1, verified: true, label: '', words: 'a', rotationSerial: 0,
};
const offered = { publicKey: IDENTITY.public.bytes, mode: 'post-quantum' as const, online: true, rotation: encoded() };

describe('a rotation certificate', () => {
  it('is followed where the pinned key signed it for the offered one', () => {
    expect(followedRotation(WORKER_ID, pin, offered)).toBeGreaterThan(0);
  });

  it.each([
    ['another Worker', 'another', pin, offered],
    ['another offered key', WORKER_ID, pin, { ...offered, publicKey: oldKey }],
    ['a pin that was made in classic mode', WORKER_ID, { ...pin, mode: 'classic' as const }, offered],
    ['classic mode', WORKER_ID, pin, { ...offered, mode: 'classic' as const }],
    ['another pinned SLH-DSA key', WORKER_ID, { ...pin, publicKey: concat(oldKey.slice(0, -1), Uint8Array.of(0)) }, offered],
    ['a serial that was seen', WORKER_ID, { ...pin, rotationSerial: 2 ** 40 }, offered],
    ['a signature that was altered', WORKER_ID, pin, { ...offered, rotation: encoded({ signature: parts.signature.map((byte, at) => (at === 9_000 ? byte ^ 1 : byte)) }) }],
    ['no certificate', WORKER_ID, pin, { ...offered, rotation: new Uint8Array(0) }],
    ['bytes that are none', WORKER_ID, pin, { ...offered, rotation: new Uint8Array(40).fill(255) }],
  ])('is not followed for %s', (_what, workerId, pinned, parameters) => {
    expect(followedRotation(workerId, pinned, parameters)).toBe(0);
  });
});

describe('post-quantum mode', () => {
  it('opens, follows a rotation without a question, and refuses a downgrade afterwards', async () => {
    const factory = new IDBFactory();
    const rig = new Rig(factory);
    rig.hub.mode = 'post-quantum';
    rig.rotation = encoded();
    const store = await rig.pins();
    await store.confirm({ workerId: WORKER_ID, publicKey: oldKey, mode: 'post-quantum' }, rig.now, { words: 'old' });
    await store.markVerified(WORKER_ID, fullFingerprint(oldKey));
    await rig.open();
    await settle();
    expect(rig.questions).toEqual([]);
    expect(rig.last).toMatchObject({ state: 'ready', mode: 'post-quantum', verified: true });
    expect((await store.all())[0]!.publicKey).toEqual(IDENTITY.public.bytes);

    const later = new Rig(factory);
    await later.open();
    expect(later.questions).toMatchObject([{ kind: 'mode-weaker' }]);
    expect(later.last).toMatchObject({ state: 'blocked', reason: 'mode_weaker' });
    expect(later.hub.controls).toEqual([]);
  });
});
