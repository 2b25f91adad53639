import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Joiner, Splitter } from '../../src/channel/chunks';
import { Streams } from '../../src/channel/credit';
import { LIMITS } from '../../src/channel/limits';
import { Outbox } from '../../src/channel/outbox';
import { FLAG_MORE, type Frame, decodeOuter, encodeFrame } from '../../src/channel/outer';
import { Tally } from '../../src/channel/tally';
import { Window } from '../../src/channel/window';
import type { Bytes } from '../../src/crypto/wire';

const frame = (correlation: bigint, flags: number, size: number): Frame =>
  ({ channelId: new Uint8Array(16), epoch: 0, correlation, flags, ciphertext: new Uint8Array(size + 16) });

describe('chunks', () => {
  it('split and join to the same message, whatever its length', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 400_000 }), (length) => {
      const message = new Uint8Array(length).map((_, index) => index * 31);
      const [splitter, joiner, tally] = [new Splitter(message), new Joiner(), new Tally(LIMITS, LIMITS.messageBytes)];
      let joined: Bytes | undefined;
      do {
        const chunk = splitter.next();
        const place = tally.admit(frame(1n, chunk.flags, chunk.plaintext.length), 0);
        if (typeof place !== 'string') throw new Error('a breach of our own making');
        joined = joiner.join(place, chunk.plaintext.slice());
      } while (!joined);
      expect(splitter.remaining).toBe(0);
      expect(Buffer.compare(joined, message)).toBe(0);
    }), { numRuns: 60 });
  });

  it('of a message of 16 MiB are 257, and the tally takes them', () => {
    const splitter = new Splitter(new Uint8Array(LIMITS.messageBytes));
    const tally = new Tally(LIMITS, LIMITS.messageBytes);
    let frames = 0;
    for (let more = true; more; frames++) {
      const chunk = splitter.next();
      more = (chunk.flags & FLAG_MORE) !== 0;
      expect(tally.admit(frame(1n, chunk.flags, chunk.plaintext.length), 0)).toBe(more ? 'chunk' : 'last');
    }
    expect(frames).toBe(257);
    expect(tally.deadline).toBeUndefined();
  });
});

describe('the header of a frame', () => {
  it('reads back as it was written', () => {
    fc.assert(fc.property(
      fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(0xffffffff), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.nat(255), fc.uint8Array({ maxLength: 100 }),
      (channel, epoch, correlation, flags, ciphertext) => {
        const sent = { channelId: Uint8Array.from(channel), epoch, correlation, flags, ciphertext: Uint8Array.from(ciphertext) };
        expect(decodeOuter(encodeFrame(sent))).toEqual({ kind: 'frame', frame: sent });
      }));
  });

  it('of something else is nothing', () => {
    for (const message of [[], [2, 1], [0, 1, 2], [1], [1, 0xff]]) expect(decodeOuter(Uint8Array.from(message))).toBeUndefined();
  });
});

describe('credit', () => {
  it('is never overdrawn and never granted beyond the window, in any order of sending and consuming', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('send' as const), bytes: fc.integer({ min: 0, max: LIMITS.streamMessage }) }),
      fc.record({ kind: fc.constant('consume' as const), bytes: fc.integer({ min: 0, max: 600_000 }) }),
    );
    fc.assert(fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const [sender, receiver] = [new Streams(LIMITS), new Streams(LIMITS)];
      sender.begin(1);
      receiver.begin(1);
      let [sent, consumed] = [0, 0];
      for (const { kind, bytes } of steps) {
        if (kind === 'send') {
          if (!sender.covers(1, bytes)) continue;
          sender.sent(1, bytes);
          sent += bytes;
          expect(receiver.received(1, bytes)).toBe(true);
        } else {
          const part = Math.min(bytes, sent - consumed);
          consumed += part;
          const total = receiver.consumed(1, part);
          if (total !== undefined) expect(sender.credited(1, total)).toBe(true);
        }
        expect(sent - consumed).toBeLessThanOrEqual(LIMITS.streamCredit);
      }
      // Whoever has consumed everything can always be sent the largest message again.
      const rest = receiver.consumed(1, sent - consumed);
      if (rest !== undefined) sender.credited(1, rest);
      expect(sender.covers(1, LIMITS.streamMessage)).toBe(true);
    }));
  });

  it('cannot be taken back, nor granted out of nothing', () => {
    const streams = new Streams(LIMITS);
    streams.begin(1);
    expect(streams.credited(1, LIMITS.streamCredit - 1)).toBe(false);
    expect(streams.credited(1, LIMITS.streamCredit + 1)).toBe(false);
  });
});

describe('the window', () => {
  it('holds 4,096 frames and takes back exactly what is acknowledged', () => {
    const window = new Window(LIMITS);
    for (let n = 0; n < LIMITS.windowFrames; n++) {
      expect(window.hasRoom).toBe(true);
      window.keep({ correlation: BigInt(n), flags: 0, plaintext: new Uint8Array(1) });
    }
    expect(window.hasRoom).toBe(false);
    expect(window.acknowledge(1n)).toBe(true);
    expect(window.hasRoom).toBe(true);
    expect(window.acknowledge(0n)).toBe(false);
    expect(window.acknowledge(4_097n)).toBe(false);
    expect(window.acknowledge(4_096n)).toBe(true);
  });
});

describe('the outbox', () => {
  it('keeps the order of each lane, loses nothing and never interleaves chunks', () => {
    const message = fc.record({ lane: fc.integer({ min: 1, max: 4 }), length: fc.oneof(fc.integer({ min: 2, max: 200 }), fc.integer({ min: 60_000, max: 200_000 })) });
    fc.assert(fc.property(fc.array(message, { maxLength: 20 }), fc.integer({ min: 1, max: 5 }), (messages, burst) => {
      const outbox = new Outbox();
      const tally = new Tally(LIMITS, LIMITS.messageBytes);
      const joiner = new Joiner();
      const got = new Map<number, number[]>();
      const take = (): boolean => {
        const departure = outbox.next();
        if (!departure) return false;
        const place = tally.admit(frame(departure.correlation, departure.flags, departure.plaintext.length), 0);
        if (typeof place !== 'string') throw new Error(`breach ${place.breach}`);
        const whole = joiner.join(place, departure.plaintext);
        if (whole) got.set(departure.lane, [...(got.get(departure.lane) ?? []), whole[0]!]);
        return true;
      };
      messages.forEach(({ lane, length }, index) => {
        outbox.push(lane, new Uint8Array(length).fill(index));
        if (index % burst === 0) take();
      });
      while (take());
      for (const lane of [1, 2, 3, 4]) {
        const expected = messages.flatMap((one, index) => (one.lane === lane ? [index] : []));
        expect(got.get(lane) ?? []).toEqual(expected);
      }
      expect(outbox.isEmpty).toBe(true);
    }), { numRuns: 60 });
  });

  it('lets a long message have its turn among small ones', () => {
    const outbox = new Outbox();
    outbox.push(1, new Uint8Array(100_000));
    let before = 0;
    for (; before < 100; before++) {
      outbox.push(2, new Uint8Array(10));
      if (outbox.next()?.lane === 1) break;
    }
    expect(before).toBeLessThanOrEqual(16);
  });
});
