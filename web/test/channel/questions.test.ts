// A trust question is answered by its own number, from the channel through to the page's dialog.

import { IDBFactory } from 'fake-indexeddb';
import { describe, expect, it } from 'vitest';
import type { FromThread, TrustQuestion } from '../../src/channel/door';
import { type ThreadPort, connectHandle } from '../../src/channel/handle';
import { Questions } from '../../src/channel/questions';
import { parsePublicKey } from '../../src/crypto/public-key';
import { concat } from '../../src/crypto/wire';
import { publicKey } from '../../src/crypto/x25519';
import { askForTrust, questions as shown } from '../../src/state/trust';
import { IDENTITY, WORKER_ID } from '../support/fake-worker';
import { Rig, settle } from '../support/rig';

const stranger = (seed: number) => {
  const x25519 = new Uint8Array(32).fill(seed);
  return { ...IDENTITY, x25519, public: parsePublicKey(concat(publicKey(x25519), IDENTITY.public.bytes.slice(32))) };
};

/** A client whose Worker offers another key now, and the page that is asked about it. */
async function asked() {
  const factory = new IDBFactory();
  await new Rig(factory).open();
  const rig: Rig = new Rig(factory, { trust: (question) => asking.ask(question) });
  const port: ThreadPort = {
    onmessage: null,
    postMessage: (message) => {
      if (message.kind === 'trust-answer') asking.answer(message.id, message.answer);
    },
  };
  const put: FromThread[] = [];
  const asking = new Questions((message) => {
    put.push(message);
    port.onmessage!({ data: message } as MessageEvent<FromThread>);
  }, () => () => undefined);
  connectHandle(port, askForTrust);
  rig.hub.identity = stranger(7);
  await rig.open();
  return { rig, put, asking };
}
const numbers = (put: FromThread[]) => put.map((message) => (message.kind === 'trust' || message.kind === 'trust-withdrawn' ? `${message.kind} ${message.id}` : message.kind));

describe('a trust question', () => {
  it('is withdrawn when the offer changes, and an answer to it does not touch the newer one', async () => {
    const { rig, put, asking } = await asked();
    const [first] = shown.value;
    rig.hub.identity = stranger(8);
    rig.hub.cut();
    await rig.pass(1_000);
    expect(numbers(put)).toEqual(['trust 1', 'trust-withdrawn 1', 'trust 2']);
    expect(shown.value).toHaveLength(1);
    const [second] = shown.value;
    expect(second!.id).not.toBe(first!.id);
    expect(second!.question.actual.full).not.toBe(first!.question.actual.full);

    first!.resolve('accept');
    asking.answer(1, 'accept');
    await settle();
    expect(rig.states).not.toContain('ready');
    expect(shown.value).toEqual([second]);

    second!.resolve('reject');
    await settle();
    expect(rig.last).toMatchObject({ workerId: WORKER_ID, state: 'blocked', reason: 'key_changed' });
    expect(shown.value).toEqual([]);
  });

  it('keeps its number though the socket comes and goes, and its answer counts once', async () => {
    const { rig, put } = await asked();
    rig.hub.cut();
    await rig.pass(1_000);
    expect(numbers(put)).toEqual(['trust 1']);
    shown.value[0]!.resolve('accept');
    await settle();
    expect(rig.last.state).toBe('ready');
  });

  it('is rejected and withdrawn when the page never answers', async () => {
    const told: FromThread[] = [];
    const rings: (() => void)[] = [];
    const asking = new Questions((message) => told.push(message), (_wait, call) => {
      rings.push(call);
      return () => undefined;
    });
    const answer = asking.ask({ workerId: 'w' } as TrustQuestion);
    rings[0]!();
    await expect(answer).resolves.toBe('reject');
    expect(numbers(told)).toEqual(['trust 1', 'trust-withdrawn 1']);
  });
});
