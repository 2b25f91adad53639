// One channel that is renewed on a scripted wire: what is cut, late, replayed or wrong.

import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/channel/limits';
import { encodeInner } from '../../src/channel/mux';
import { FLAG_MORE, decodeOuter } from '../../src/channel/outer';
import { CloseReason, RefusalReason } from '../../src/channel/reasons';
import { Window } from '../../src/channel/window';
import { Opener, Sealer } from '../../src/crypto/transport';
import type { Bytes } from '../../src/crypto/wire';
import type { Control } from '../../src/gen/leapmux/v1/channel_pb';
import { Pair } from '../support/pair';

const MINUTE = 60_000;
const message = (data: Uint8Array) => ({ case: 'streamData' as const, value: { $typeName: 'leapmux.v1.StreamData' as const, id: 1n, data } });
const ack = (received: bigint) => ({ case: 'ack' as const, value: { $typeName: 'leapmux.v1.Ack' as const, received } });

class Cut extends Pair {
  stream = 0;

  async streaming(): Promise<this> {
    await this.ready();
    this.stream = this.session.mux.openStream({ method: 'terminal.attach', payload: new Uint8Array(), workspaceId: '' }) as number;
    this.exchange();
    return this;
  }
  type(...bytes: number[]): void {
    bytes.forEach((byte) => this.session.mux.streamSend(this.stream, Uint8Array.of(byte)));
    this.drain();
  }
  print(...bytes: number[]): void {
    bytes.forEach((byte) => this.worker.say(message(Uint8Array.of(byte))));
  }
  get typed(): number[] {
    return this.worker.said.flatMap((body) => (body.case === 'streamData' ? [...body.value.data] : []));
  }
  get printed(): number[] {
    return this.of('stream-data').flatMap((event) => [...event.data]);
  }
  get phase(): string {
    return this.session.phase;
  }
  get epochs(): number[] {
    return this.events.flatMap((event) => (event.kind === 'sign' ? [event.epoch] : []));
  }
}

const renewOf = (pair: Pair) => pair.controls.findLast((body) => body.case === 'renew')!.value as Extract<Control['body'], { case: 'renew' }>['value'];

describe('a cut', () => {
  /** Both ends have words under way that the cut takes along. */
  async function spoken(): Promise<Cut> {
    const pair = await new Cut().streaming();
    pair.type(1, 2);
    pair.print(10);
    pair.exchange();
    pair.deliver();
    pair.type(3);
    pair.print(11, 12);
    pair.cut();
    return pair;
  }
  function expectWhole(pair: Cut): void {
    pair.exchange();
    pair.deliver();
    expect(pair.typed).toEqual([1, 2, 3]);
    expect(pair.printed).toEqual([10, 11, 12]);
    expect(pair.phase).toBe('ready');
    expect(pair.ending).toBeUndefined();
    expect(pair.of('stream-end')).toEqual([]);
  }

  it('at frames under way loses none and doubles none', async () => {
    expectWhole(await (await spoken()).attached());
  });

  it('at Renew changes nothing: the next has a higher serial and the same base', async () => {
    const pair = await spoken();
    pair.session.renew(0);
    pair.drain();
    expect(renewOf(pair)).toMatchObject({ serial: 1, base: 0 });
    pair.cut();
    pair.session.renew(0);
    pair.drain();
    expect(renewOf(pair)).toMatchObject({ serial: 2, base: 0 });
    pair.cut();
    expectWhole(await pair.attached());
    expect(pair.epochs).toEqual([0, 3]);
  });

  it('at Renewed leaves a candidate at the Worker, which the next replaces', async () => {
    const pair = await spoken();
    pair.session.renew(0);
    pair.exchange();
    expect(pair.worker.epochs.candidate?.number).toBe(1);
    pair.cut();
    expectWhole(await pair.attached());
    expect(pair.worker.epochs.current.number).toBe(2);
    expect(pair.epochs).toEqual([0, 2]);
  });

  it('at the claim is mended from the candidate, which becomes current', async () => {
    const pair = await spoken();
    pair.session.renew(0);
    pair.exchange();
    pair.deliver();
    await pair.sign();
    pair.cut();
    pair.session.renew(0);
    pair.drain();
    expect(renewOf(pair)).toMatchObject({ serial: 2, base: 1 });
    pair.exchange();
    expect(pair.worker.epochs.current.number).toBe(1);
    pair.deliver();
    await pair.sign();
    pair.exchange();
    pair.worker.accept();
    pair.deliver();
    expectWhole(pair);
  });

  it('at the answer is mended too: the Worker has gone over, and what came behind the claim is not doubled', async () => {
    const pair = await spoken();
    await pair.renewed();
    pair.worker.accept();
    expect(pair.typed).toEqual([1, 2, 3]);
    pair.cut();
    expectWhole(await pair.attached());
    expect(pair.epochs).toEqual([0, 1, 2]);
  });

  it('in the first epoch before the claim is accepted ends the channel', async () => {
    const pair = await new Cut().open();
    pair.cut();
    expect(pair.ending).toBe('connection_lost');
  });

  it('between the chunks of a message, each way, is healed', async () => {
    const pair = await new Cut().streaming();
    const long = new Uint8Array(200_000).map((_, n) => n % 251);
    pair.session.mux.streamSend(pair.stream, long);
    pair.worker.say(message(long));
    pair.drain();
    pair.toWorker.length = 2;
    pair.exchange();
    pair.worker.outgoing.length = 1;
    pair.deliver();
    pair.cut();
    await pair.attached();
    pair.deliver();
    expect(pair.worker.said.flatMap((body) => (body.case === 'streamData' ? [body.value.data] : []))).toEqual([long]);
    expect(pair.of('stream-data').map((event) => event.data)).toEqual([long]);
    expect(pair.ending).toBeUndefined();
  });
});

it('in post-quantum mode takes no signature of the Worker, and heals a cut as well', async () => {
  const pair = await new Cut(LIMITS, 'post-quantum').streaming();
  pair.type(1);
  pair.print(10);
  pair.cut();
  pair.session.renew(0);
  pair.drain();
  expect(renewOf(pair).noise).toHaveLength(3_192);
  pair.exchange();
  const answer = decodeOuter(pair.worker.outgoing[0]!);
  expect(answer?.kind === 'control' && answer.body.case === 'renewed' && answer.body.value.noise.length).toBe(1_624);
  pair.deliver();
  await pair.sign();
  pair.exchange();
  pair.worker.accept();
  pair.deliver();
  expect(pair.typed).toEqual([1]);
  expect(pair.printed).toEqual([10]);
  expect(pair.phase).toBe('ready');
}, 120_000);

describe('while it is renewed or detached', () => {
  it('nothing is sealed and no frame of the base epoch is taken', async () => {
    const pair = await new Cut().streaming();
    pair.print(1);
    const late = pair.worker.outgoing.splice(0);
    pair.session.renew(0);
    pair.session.ping();
    pair.type(5);
    expect(pair.frames).toEqual([]);
    expect(pair.controls.map((body) => body.case)).toEqual(['renew']);
    late.forEach((one) => pair.give(one));
    expect(pair.printed).toEqual([]);
    expect(pair.session.dropped.frames).toBe(1);
    pair.cut();
    pair.type(6);
    expect(pair.toWorker).toEqual([]);
    await pair.attached();
    expect(pair.typed).toEqual([5, 6]);
    expect(pair.printed).toEqual([1]);
  });

  it('the claim is frame 0 of the epoch, then what was kept, then what is new', async () => {
    const pair = await new Cut().streaming();
    pair.type(1, 2);
    pair.cut();
    pair.type(3);
    pair.session.renew(0);
    pair.exchange();
    pair.deliver();
    await pair.sign();
    expect(pair.frames.map((frame) => frame.epoch)).toEqual([1, 1, 1, 1]);
    pair.exchange();
    expect(pair.worker.said.filter((body) => body.case === 'claim')).toHaveLength(2);
    expect(pair.typed).toEqual([]);
    pair.worker.accept();
    expect(pair.typed).toEqual([1, 2, 3]);
  });

  it('the Worker may say nothing but yes or no', async () => {
    const pair = await new Cut().streaming();
    await pair.renewed();
    pair.worker.epochs.promote();
    pair.print(1);
    pair.deliver();
    expect(pair.ending).toBe('protocol_error');
  });

  it('page traffic waits within the bounds that hold anyway', async () => {
    const pair = await new Cut().streaming();
    pair.cut();
    for (let n = 0; n < 9; n++) pair.session.mux.streamSend(pair.stream, new Uint8Array(256 * 1024));
    pair.drain();
    expect(pair.of('stream-end')).toMatchObject([{ id: pair.stream, error: { code: 8 } }]);
    expect(pair.ending).toBeUndefined();
    await pair.attached();
    expect(pair.worker.said.at(-1)?.case).toBe('cancel');
  });

  it('the clock of an unfinished message stands still', async () => {
    const pair = await new Cut().streaming();
    pair.worker.sayFrame(100n, FLAG_MORE, encodeInner(message(new Uint8Array(70_000))).slice(0, 65_000));
    pair.deliver();
    pair.pass(20_000);
    pair.cut();
    pair.pass(4 * MINUTE);
    await pair.attached();
    pair.pass(9_999);
    expect(pair.phase).toBe('ready');
    pair.pass(1);
    expect(pair.ending).toBe('chunk_timeout');
  });

  it('a signature that was asked for in an older epoch is not used', async () => {
    const pair = await new Cut().streaming();
    pair.session.renew(0);
    pair.exchange();
    pair.deliver();
    const asked = pair.events.findLast((event) => event.kind === 'sign')!;
    pair.cut();
    pair.session.renew(0);
    pair.exchange();
    pair.deliver();
    if (asked.kind !== 'sign') throw new Error('no claim was asked for');
    pair.session.prove(asked.epoch, { algorithm: 1, key: new Uint8Array(32), body: asked.body, signature: new Uint8Array(64) }, [], 0);
    pair.drain();
    expect(pair.phase).toBe('signing');
    expect(pair.frames).toEqual([]);
  });
});

describe('what comes late from a dead path', () => {
  it('a frame and a Close of an older epoch are dropped and counted', async () => {
    const pair = await new Cut().streaming();
    pair.print(1);
    pair.worker.close(CloseReason.REVOKED);
    const late = pair.worker.outgoing.splice(0);
    pair.cut();
    await pair.attached();
    late.forEach((one) => pair.give(one));
    expect(pair.phase).toBe('ready');
    expect(pair.session.dropped).toEqual({ frames: 1, closes: 1, renewals: 0 });
    expect(pair.printed).toEqual([1]);
  });

  it('that the channel has moved is no news while it moves: the Renewed of the newer path follows', async () => {
    const pair = await new Cut().streaming();
    pair.session.renew(0);
    pair.exchange();
    const { channelId } = pair.session;
    const moved = { case: 'close' as const, value: { $typeName: 'leapmux.v1.Close' as const, channelId, epoch: 0, reason: CloseReason.MOVED } };
    pair.session.receiveControl(moved, 0);
    pair.drain();
    expect(pair.phase).toBe('renewing');
    expect(pair.session.dropped).toEqual({ frames: 0, closes: 1, renewals: 0 });
    pair.deliver();
    await pair.sign();
    pair.exchange();
    pair.worker.accept();
    pair.deliver();
    expect(pair.phase).toBe('ready');
  });

  it('frames of the client that arrive after its Renew are dropped, and go again', async () => {
    const pair = await new Cut().streaming();
    pair.type(1, 2);
    const late = pair.toWorker.splice(0);
    pair.cut();
    await pair.renewed();
    for (const one of late) {
      const outer = decodeOuter(one);
      if (outer?.kind === 'frame') pair.worker.receive(outer.frame);
    }
    expect(pair.worker.dropped).toBe(2);
    pair.worker.accept();
    pair.exchange();
    expect(pair.typed).toEqual([1, 2]);
  });

  it('a replayed Renew is refused and changes nothing, nor does the refusal', async () => {
    const pair = await new Cut().streaming();
    pair.session.renew(0);
    pair.drain();
    const replayed = renewOf(pair);
    pair.exchange();
    pair.deliver();
    await pair.sign();
    pair.exchange();
    pair.worker.accept();
    pair.deliver();
    pair.worker.renew(replayed);
    expect(pair.worker.epochs.current.number).toBe(1);
    expect(pair.worker.epochs.candidate).toBeUndefined();
    pair.deliver();
    expect(pair.session.dropped.renewals).toBe(1);
    pair.type(1);
    pair.exchange();
    expect(pair.typed).toEqual([1]);
    expect(pair.ending).toBeUndefined();
  });

  it('an older Renewed is ignored, the newest counts', async () => {
    const pair = await new Cut().streaming();
    pair.session.renew(0);
    pair.exchange();
    const [older] = pair.worker.outgoing.splice(0);
    pair.cut();
    pair.session.renew(0);
    pair.drain();
    pair.give(older!);
    expect(pair.phase).toBe('renewing');
    pair.exchange();
    pair.give(older!);
    pair.deliver();
    expect(pair.epochs).toEqual([0, 2]);
    expect(pair.session.dropped.renewals).toBe(2);
    pair.give(older!);
    expect(pair.phase).toBe('signing');
  });
});

describe('what is wrong', () => {
  it('a bad Renewed of the newest serial is final', async () => {
    const pair = await new Cut().streaming();
    pair.session.renew(0);
    pair.drain();
    pair.session.receiveControl({ case: 'renewed', value: { $typeName: 'leapmux.v1.Renewed', channelId: pair.session.channelId, serial: 1, noise: new Uint8Array(56) } }, 0);
    pair.drain();
    expect(pair.ending).toBe('handshake_failed');
    expect(pair.controls.at(-1)).toMatchObject({ case: 'close', value: { epoch: 1, reason: CloseReason.HANDSHAKE_FAILED } });
  });

  it('a stranger who does not know the root gets no Renew through', async () => {
    const pair = await new Cut().streaming();
    pair.session.renew(0);
    pair.drain();
    const other = await new Cut().streaming();
    other.worker.renew({ ...renewOf(pair), channelId: other.session.channelId });
    expect(other.worker.epochs.candidate).toBeUndefined();
    other.deliver();
    other.type(1);
    other.exchange();
    expect(other.typed).toEqual([1]);
  });

  it('a Worker that has received what was never sent ends it', async () => {
    const pair = await new Cut().streaming();
    pair.worker.received += 1n;
    pair.session.renew(0);
    pair.exchange();
    pair.deliver();
    expect(pair.ending).toBe('protocol_error');
  });

  it('a refusal of the newest Renew ends it for good, save where the same may succeed later', async () => {
    const refuse = (pair: Pair, reason: RefusalReason, serial: number) => {
      pair.session.receiveControl({ case: 'refused', value: { $typeName: 'leapmux.v1.Refused', channelId: pair.session.channelId, reason, retryAfterMs: 9, serial } }, 0);
      pair.drain();
    };
    const pair = await new Cut().streaming();
    pair.session.renew(0);
    refuse(pair, RefusalReason.STALE, 7);
    expect(pair.phase).toBe('renewing');
    refuse(pair, RefusalReason.BUSY, 1);
    expect(pair.phase).toBe('detached');
    expect(pair.events.at(-1)).toEqual({ kind: 'detached', reason: 'busy', retryAfter: 9 });
    pair.session.renew(0);
    refuse(pair, RefusalReason.STALE, 2);
    expect(pair.events.at(-1)).toEqual({ kind: 'closed', ending: { reason: 'stale', retryAfter: 9, anew: true } });
    // Hub and Worker have the channel still: a refusal changes nothing there.
    expect(pair.controls.map((body) => body.case)).toEqual(['renew', 'renew', 'close']);
  });

  it('a channel whose exchange failed says goodbye on its path, and one without a path does not', async () => {
    const last = async (act: (pair: Pair) => void) => {
      const pair = await new Cut().streaming();
      act(pair);
      pair.session.close(CloseReason.CLOSED_BY_CLIENT);
      pair.drain();
      return pair.controls.at(-1)?.case;
    };
    expect(await last((pair) => pair.session.lost(0, true))).toBe('close');
    expect(await last((pair) => pair.session.lost(0))).toBe(undefined);
  });

  it('a rekey that is refused for good closes what nobody uses any more', async () => {
    const pair = await new Cut().streaming();
    const { channelId } = pair.session;
    pair.session.renew(0);
    pair.session.receiveControl({ case: 'refused', value: { $typeName: 'leapmux.v1.Refused', channelId, reason: RefusalReason.HANDSHAKE, retryAfterMs: 0, serial: 1 } }, 0);
    pair.drain();
    expect(pair.controls.at(-1)).toMatchObject({ case: 'close', value: { epoch: 1, reason: CloseReason.CLOSED_BY_CLIENT } });
  });

  it('a Close between Renew and its answer names the epoch that was asked for, any other its own', async () => {
    const asking = await new Cut().streaming();
    asking.session.renew(0);
    asking.session.close(CloseReason.CLOSED_BY_CLIENT);
    asking.drain();
    expect(asking.controls.at(-1)).toMatchObject({ case: 'close', value: { epoch: 1 } });
    const answered = await new Cut().streaming();
    answered.cut();
    await answered.attached();
    answered.session.close(CloseReason.CLOSED_BY_CLIENT);
    answered.drain();
    expect(answered.controls.at(-1)).toMatchObject({ case: 'close', value: { epoch: 1 } });
  });
});

describe('timeouts', () => {
  it('no Renewed in 30 s and no answer to the claim in 15 s: the path counts as lost', async () => {
    const pair = await new Cut().streaming();
    pair.session.renew(0);
    pair.pass(29_999);
    expect(pair.phase).toBe('renewing');
    pair.pass(1);
    expect(pair.events.at(-1)).toEqual({ kind: 'detached', reason: 'connection_lost', silence: 30_000 });
    pair.cut();
    await pair.renewed();
    expect(pair.phase).toBe('proving');
    pair.pass(15_000);
    expect(pair.events.at(-1)).toEqual({ kind: 'detached', reason: 'connection_lost', silence: 15_000 });
    pair.cut();
    await pair.attached();
    expect(pair.phase).toBe('ready');
  });

  it('five minutes after the loss it is too late, whatever was tried; an accepted claim resets them', async () => {
    const pair = await new Cut().streaming();
    for (let n = 0; n < 3; n++) {
      pair.cut();
      pair.pass(4 * MINUTE);
      await pair.attached();
    }
    pair.cut();
    pair.pass(4 * MINUTE);
    await pair.renewed();
    pair.cut();
    pair.pass(MINUTE - 1);
    expect(pair.ending).toBeUndefined();
    pair.pass(1);
    expect(pair.events.at(-1)).toEqual({ kind: 'closed', ending: { reason: 'detached_too_long', anew: true } });
    expect(pair.of('stream-end')).toMatchObject([{ error: { code: 14 } }]);
  });
});

describe('keys', () => {
  it('are renewed between minute 55 and 58 of each epoch', async () => {
    const pair = await new Cut().streaming();
    pair.pass(55 * MINUTE - 1);
    expect(pair.controls).toEqual([]);
    pair.pass(3 * MINUTE + 1);
    expect(pair.controls.map((body) => body.case)).toEqual(['renew']);
    pair.exchange();
    pair.deliver();
    await pair.sign();
    pair.exchange();
    pair.worker.accept();
    pair.deliver();
    pair.pass(55 * MINUTE - 1);
    expect(pair.phase).toBe('ready');
    pair.pass(3 * MINUTE + 1);
    expect(pair.phase).toBe('renewing');
  });

  it('of more than 70 minutes end the channel', async () => {
    const pair = await new Cut({ ...LIMITS, keyRenewalAge: 80 * MINUTE }).streaming();
    pair.pass(70 * MINUTE - 1);
    expect(pair.ending).toBeUndefined();
    pair.pass(1);
    expect(pair.ending).toBe('key_expired');
  });

  it.each([Sealer, Opener])('are renewed once the counter of the %o exceeds the soft limit', async (side) => {
    const pair = await new Cut().streaming();
    expect(pair.phase).toBe('ready');
    Object.defineProperty(side.prototype, 'wantsRenewal', { get: () => true, configurable: true });
    pair.print(1);
    pair.deliver();
    Reflect.deleteProperty(side.prototype, 'wantsRenewal');
    expect(pair.phase).toBe('renewing');
    expect(pair.controls.at(-1)?.case).toBe('renew');
    await pair.attached();
    expect(pair.phase).toBe('ready');
    expect(pair.printed).toEqual([1]);
  });

  it('of the base epoch are gone once the Renewed is there', async () => {
    const pair = await new Cut().streaming();
    const { sealer, opener } = pair.worker.epochs.current.keys;
    await pair.attached();
    expect(() => sealer.seal(new Uint8Array(), new Uint8Array())).toThrow();
    expect(() => opener.open(new Uint8Array(), new Uint8Array(17))).toThrow();
  });
});

describe('the window', () => {
  it('keeps plaintext until it is acknowledged and wipes it then', () => {
    const window = new Window(LIMITS);
    const plaintexts = [1, 2, 3].map((byte) => new Uint8Array(8).fill(byte) as Bytes);
    plaintexts.forEach((plaintext, n) => window.keep({ correlation: BigInt(n), flags: 0, plaintext }));
    expect(window.again()).toBeUndefined();
    expect(window.acknowledge(2n)).toBe(true);
    expect(plaintexts.map((plaintext) => plaintext[0])).toEqual([0, 0, 3]);
    window.rewind();
    expect(window.acknowledge(3n)).toBe(false);
    expect(window.again()).toMatchObject({ correlation: 2n });
    expect(window.acknowledge(3n)).toBe(true);
    expect(plaintexts[2]![0]).toBe(0);
    expect(window.again()).toBeUndefined();
  });

  it('wipes what it keeps when the channel ends', () => {
    const window = new Window(LIMITS);
    const plaintext = new Uint8Array(8).fill(1) as Bytes;
    window.keep({ correlation: 1n, flags: 0, plaintext });
    window.clear();
    expect(plaintext[0]).toBe(0);
    expect(window.again()).toBeUndefined();
  });

  it('full in both directions, and cut, is emptied by the renewal and goes on', async () => {
    const pair = await new Cut().streaming();
    const call = { method: 'm', payload: new Uint8Array(900_000), opensStream: false, workspaceId: '' };
    for (let n = 0; n < 10; n++) {
      pair.session.mux.request(call);
      pair.worker.say({ case: 'response', value: { $typeName: 'leapmux.v1.Response', id: BigInt(n + 2), result: { case: 'payload', value: new Uint8Array(900_000) } } });
    }
    pair.drain();
    const under = (messages: Bytes[]) => messages.reduce((sum, one) => sum + one.length, 0);
    expect(under(pair.toWorker)).toBeGreaterThan(4_000_000);
    expect(under(pair.worker.outgoing)).toBeGreaterThan(4_000_000);
    pair.toWorker.length = 40;
    pair.exchange();
    pair.worker.outgoing.length = 30;
    pair.deliver();
    pair.cut();
    await pair.attached();
    for (let n = 0; n < 20; n++) {
      pair.exchange();
      pair.worker.acknowledge();
      pair.deliver();
    }
    expect(pair.worker.said.filter((body) => body.case === 'request')).toHaveLength(11);
    expect(pair.of('answer')).toHaveLength(10);
    expect(pair.ending).toBeUndefined();
  });

  it('of 4,096 frames goes again whole', async () => {
    const pair = await new Cut().streaming();
    pair.worker.say(ack(0n));
    for (let n = 0; n < 5_000; n++) pair.session.mux.streamSend(pair.stream, Uint8Array.of(n % 256));
    pair.drain();
    expect(pair.frames).toHaveLength(4_095);
    pair.cut();
    await pair.attached();
    for (let n = 0; n < 3; n++) {
      pair.worker.acknowledge();
      pair.deliver();
      pair.exchange();
    }
    expect(pair.typed).toEqual(Array.from({ length: 5_000 }, (_, n) => n % 256));
  });
});
