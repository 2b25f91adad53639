import { IDBFactory } from 'fake-indexeddb';
import { describe, expect, it } from 'vitest';
import { ParametersError } from '../../src/channel/parameters';
import { CloseReason, FailureReason, RefusalReason } from '../../src/channel/reasons';
import type { WorkerIdentity } from '../support/worker-end';
import { IDENTITY, WORKER_ID } from '../support/fake-worker';
import { Rig, settle } from '../support/rig';
import { fullFingerprint } from '../../src/crypto/fingerprint';
import { parsePublicKey } from '../../src/crypto/public-key';
import { publicKey } from '../../src/crypto/x25519';
import { concat } from '../../src/crypto/wire';

/** The same Worker with another X25519 key. */
function stranger(): WorkerIdentity {
  const x25519 = new Uint8Array(32).fill(7);
  return { ...IDENTITY, x25519, public: parsePublicKey(concat(publicKey(x25519), IDENTITY.public.bytes.slice(32))) };
}
const refused = (reason: RefusalReason, retryAfterMs = 0) =>
  ({ case: 'refused' as const, value: { $typeName: 'leapmux.v1.Refused' as const, channelId: new Uint8Array(), reason, retryAfterMs, serial: 0 } });
const call = (id: number) => ({ kind: 'call' as const, id, workerId: WORKER_ID, method: 'worker.info', payload: Uint8Array.of(1), workspaceId: '' });

describe('opening', () => {
  it('goes through its states and pins the key only after the claim was accepted', async () => {
    const rig = new Rig();
    rig.hub.accepts = false;
    await rig.open();
    expect(rig.states).toEqual(['connecting', 'connecting', 'securing', 'proving']);
    expect(await (await rig.pins()).all()).toEqual([]);
    rig.hub.channels[0]!.accept();
    rig.hub.flush();
    await settle();
    expect(rig.last).toMatchObject({ state: 'ready', mode: 'classic', verified: false, firstSeen: rig.now });
    expect(rig.last.words).toMatch(/^words-/);
    expect(rig.last.deviceWords).toMatch(/^words-/);
    expect(await (await rig.pins()).all()).toMatchObject([{ workerId: WORKER_ID, mode: 'classic' }]);
  });

  it('is idempotent', async () => {
    const rig = new Rig();
    await rig.open();
    await rig.open();
    expect(rig.hub.channels).toHaveLength(1);
  });

  it('answers calls that were made while it was opening', async () => {
    const rig = new Rig();
    rig.hub.onInner = (channel, body) => {
      if (body.case === 'request') {
        channel.say({ case: 'response', value: { $typeName: 'leapmux.v1.Response', id: body.value.id, result: { case: 'payload', value: Uint8Array.of(9) } } });
      }
    };
    rig.ask({ kind: 'open', workerId: WORKER_ID, userId: '01JCUSER000000000000000001' });
    rig.ask(call(1));
    await settle();
    expect(rig.of('answer')).toMatchObject([{ id: 1, payload: Uint8Array.of(9) }]);
  });

  it('fails a call at once where no channel was asked for', () => {
    const rig = new Rig();
    rig.ask(call(1));
    expect(rig.of('failed')).toMatchObject([{ id: 1, error: { code: 14 } }]);
  });

  it('never says a word to the Worker before the claim', async () => {
    const rig = new Rig();
    rig.hub.accepts = false;
    rig.ask({ kind: 'open', workerId: WORKER_ID, userId: '01JCUSER000000000000000001' });
    rig.ask(call(1));
    await settle();
    expect(rig.hub.channels[0]!.said.map((body) => body.case)).toEqual(['claim']);
  });
});

describe('trust', () => {
  async function pinned(): Promise<IDBFactory> {
    const factory = new IDBFactory();
    const rig = new Rig(factory);
    await rig.open();
    expect(rig.last.state).toBe('ready');
    return factory;
  }

  it('stops at another key before anything is sent, and rejection is the default', async () => {
    const rig = new Rig(await pinned());
    rig.hub.identity = stranger();
    await rig.open();
    expect(rig.last).toMatchObject({ state: 'blocked', reason: 'key_changed' });
    expect(rig.questions).toMatchObject([{ workerId: WORKER_ID, kind: 'key-changed' }]);
    expect(rig.hub.controls).toEqual([]);
  });

  it('remembers a rejection, and asks again only when a person reviews it', async () => {
    const rig = new Rig(await pinned());
    rig.hub.identity = stranger();
    await rig.open();
    await rig.open();
    rig.hub.cut();
    await rig.pass(40_000);
    expect(rig.questions).toHaveLength(1);
    rig.trust = async () => 'accept';
    rig.ask({ kind: 'review', workerId: WORKER_ID });
    await settle();
    expect(rig.questions).toHaveLength(2);
    expect(rig.last.state).toBe('ready');
  });

  it('pins the new key, unverified, once a person accepted it', async () => {
    const factory = await pinned();
    const rig = new Rig(factory);
    await (await rig.pins()).markVerified(WORKER_ID, fullFingerprint(IDENTITY.public.bytes));
    rig.hub.identity = stranger();
    rig.trust = async () => 'accept';
    await rig.open();
    expect(rig.last).toMatchObject({ state: 'ready', verified: false });
    const [pin] = await (await rig.pins()).all();
    expect(pin!.publicKey).toEqual(stranger().public.bytes);
  });

  it('stops at a weaker mode although the key is the same', async () => {
    const factory = await pinned();
    const rig = new Rig(factory);
    const store = await rig.pins();
    const [pin] = await store.all();
    await store.confirm({ ...pin!, mode: 'post-quantum' }, rig.now, { words: pin!.words });
    await rig.open();
    expect(rig.questions).toMatchObject([{ kind: 'mode-weaker', expected: { mode: 'post-quantum' }, actual: { mode: 'classic' } }]);
    expect(rig.last).toMatchObject({ state: 'blocked', reason: 'mode_weaker' });
  });

  it.each([
    ['throws', () => { throw new Error('page'); }],
    ['rejects its promise', async () => { throw new Error('page'); }],
    ['answers nonsense', async () => 'yes' as 'accept'],
  ])('counts a callback that %s as a rejection', async (_name, trust) => {
    const rig = new Rig(await pinned());
    rig.hub.identity = stranger();
    rig.trust = trust;
    await rig.open();
    expect(rig.last.state).toBe('blocked');
    expect(rig.hub.controls).toEqual([]);
  });

  it('refuses to go on when the storage fails', async () => {
    const rig = new Rig();
    rig.storageFails = true;
    await rig.open();
    expect(rig.last).toMatchObject({ state: 'blocked', reason: 'storage_failed' });
    expect(rig.hub.controls).toEqual([]);
  });

  it('asks one question though the socket comes and goes meanwhile, and the answer counts', async () => {
    const rig = new Rig(await pinned());
    rig.hub.identity = stranger();
    let answer: (answer: 'accept') => void = () => undefined;
    rig.trust = () => new Promise((resolve) => { answer = resolve; });
    await rig.open();
    rig.hub.cut();
    await rig.pass(2_000);
    await rig.pass(2_000);
    expect(rig.questions).toHaveLength(1);
    answer('accept');
    await settle();
    expect(rig.last.state).toBe('ready');
  });

  it('drops a pin that was not used for a year and says so', async () => {
    const factory = await pinned();
    const rig = new Rig(factory);
    rig.now += 366 * 86_400_000;
    rig.hub.identity = stranger();
    await rig.open();
    expect(rig.questions).toEqual([]);
    expect(rig.last).toMatchObject({ state: 'ready', pinDropped: true });
  });
});

describe('endings', () => {
  it('waits for approval of an unknown device, quietly, and is open once it is given', async () => {
    const rig = new Rig();
    rig.hub.accepts = false;
    let approved = false;
    rig.hub.onInner = (channel, body) => {
      if (body.case !== 'claim') return;
      if (approved) return channel.accept();
      channel.say({ case: 'failure', value: { $typeName: 'leapmux.v1.Failure', reason: FailureReason.DEVICE_NOT_TRUSTED, detail: 'a-b-c-d' } });
      channel.close(CloseReason.REJECTED);
    };
    await rig.open();
    expect(rig.last).toMatchObject({ state: 'blocked', reason: 'device_not_trusted', detail: 'a-b-c-d' });
    expect(rig.last.deviceWords).toMatch(/^words-/);
    const before = rig.statuses.length;
    await rig.pass(20_000);
    expect(rig.states.slice(before)).not.toContain('connecting');
    approved = true;
    await rig.pass(20_000);
    expect(rig.last.state).toBe('ready');
  });

  it.each([
    [FailureReason.USER_ID_MISMATCH, 'user_id_mismatch'],
    [FailureReason.USER_ID_NOT_VERIFIED, 'user_id_not_verified'],
    [FailureReason.CLAIM_INVALID, 'claim_invalid'],
  ])('ends for good at failure %s', async (reason, label) => {
    const rig = new Rig();
    rig.hub.accepts = false;
    rig.hub.onInner = (channel) => channel.say({ case: 'failure', value: { $typeName: 'leapmux.v1.Failure', reason, detail: '' } });
    await rig.open();
    expect(rig.last).toMatchObject({ state: 'closed', reason: label });
    await rig.pass(120_000);
    expect(rig.hub.channels).toHaveLength(1);
    expect(await (await rig.pins()).all()).toEqual([]);
  });

  it.each([
    [RefusalReason.WORKER_OFFLINE, 'worker_offline'],
    [RefusalReason.BUSY, 'busy'],
    [RefusalReason.DRAINING, 'draining'],
  ])('tries again after refusal %s, not before the Hub said', async (reason, label) => {
    const rig = new Rig();
    rig.hub.refuses = refused(reason, 7_000);
    await rig.open();
    expect(rig.last).toMatchObject({ state: 'reconnecting', reason: label, retryAt: rig.now + 7_000 });
    rig.hub.refuses = undefined;
    await rig.pass(6_900);
    expect(rig.hub.channels).toHaveLength(0);
    await rig.pass(200);
    expect(rig.last.state).toBe('ready');
  });

  it('does not try again by itself when the credential is gone, but does when asked', async () => {
    const rig = new Rig();
    rig.parametersFail = new ParametersError('credential');
    await rig.open();
    await rig.pass(100_000);
    expect(rig.last).toMatchObject({ state: 'closed', reason: 'credential' });
    rig.parametersFail = undefined;
    await rig.open();
    expect(rig.last.state).toBe('ready');
  });

  it('makes no handshake with a Worker that is offline, and opens once it is back', async () => {
    const rig = new Rig();
    rig.online = false;
    await rig.open();
    expect(rig.last).toMatchObject({ state: 'reconnecting', reason: 'worker_offline' });
    expect(rig.hub.controls).toEqual([]);
    rig.online = true;
    await rig.open();
    expect(rig.last.state).toBe('ready');
  });

  it('backs off up to 30 s while the Hub is away', async () => {
    const rig = new Rig();
    rig.hub.onInner = (channel, body) => {
      if (body.case === 'ping') channel.say({ case: 'pong', value: { $typeName: 'leapmux.v1.Pong', nonce: body.value.nonce } });
    };
    rig.hub.up = false;
    await rig.open();
    await rig.pass(10 * 60_000);
    const { connections } = rig.hub;
    // Once the span has grown, an attempt each 15 s on average, and never two within 250 ms.
    expect(connections).toBeGreaterThan(20);
    expect(connections).toBeLessThan(70);
    expect(rig.last).toMatchObject({ state: 'reconnecting', reason: 'unreachable' });
    expect(rig.last.retryAt! - rig.now).toBeLessThanOrEqual(30_000);
    rig.hub.up = true;
    await rig.pass(30_000);
    expect(rig.last.state).toBe('ready');
    expect(rig.hub.connections).toBe(connections + 1);
    expect(rig.hub.channels).toHaveLength(1);
  });

  it('notices a path that is dead without saying so', async () => {
    const rig = new Rig();
    await rig.open();
    rig.hub.send = () => undefined;
    await rig.pass(25_000);
    expect(rig.hub.connections).toBeGreaterThan(1);
  });

  it('says goodbye to the Worker when the page closes the channel, and stays closed', async () => {
    const rig = new Rig();
    await rig.open();
    rig.ask({ kind: 'close', workerId: WORKER_ID });
    await settle();
    expect(rig.last).toMatchObject({ state: 'closed', reason: 'closed_by_client' });
    await rig.pass(60_000);
    expect(rig.hub.channels).toHaveLength(1);
  });
});

describe('pins of the page', () => {
  it('does not verify, nor show as this channel\u2019s, a key that another tab accepted meanwhile', async () => {
    const rig = new Rig();
    await rig.open();
    const { fullFingerprint: seen, words } = rig.last;
    const store = await rig.pins();
    const [pin] = await store.all();
    await store.confirm({ workerId: WORKER_ID, publicKey: stranger().public.bytes, mode: 'classic' }, rig.now, { words: 'other-words', agreed: pin });
    rig.ask({ kind: 'mark-verified', id: 1, workerId: WORKER_ID, full: seen! });
    await settle();
    expect(rig.of('failed')).toMatchObject([{ id: 1, error: { code: 9 } }]);
    expect(rig.of('done')).toEqual([]);
    expect(await store.all()).toMatchObject([{ verified: false, words: 'other-words' }]);
    expect(rig.last).toMatchObject({ fullFingerprint: seen, words, verified: false });
  });

  it('lists, verifies and forgets them', async () => {
    const rig = new Rig();
    await rig.open();
    rig.ask({ kind: 'mark-verified', id: 1, workerId: WORKER_ID, full: rig.last.fullFingerprint! });
    await settle();
    expect(rig.last).toMatchObject({ state: 'ready', verified: true });
    rig.ask({ kind: 'pins', id: 2 });
    rig.ask({ kind: 'forget-pin', id: 3, workerId: WORKER_ID });
    await settle();
    rig.ask({ kind: 'pins', id: 4 });
    await settle();
    const [first, second] = rig.of('pins');
    expect(first).toMatchObject({ id: 2, pins: [{ workerId: WORKER_ID, verified: true, mode: 'classic' }] });
    expect(second).toMatchObject({ id: 4, pins: [] });
    expect(rig.of('done').map((message) => message.id)).toEqual([1, 3]);
  });
});
