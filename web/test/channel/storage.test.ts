import { IDBFactory } from 'fake-indexeddb';
import { beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/channel/database';
import { loadDevice } from '../../src/channel/device';
import { once } from '../../src/channel/once';
import { type Pin, PinStore, UNUSED_MS } from '../../src/channel/pins';
import { fullFingerprint } from '../../src/crypto/fingerprint';
import { verify } from '../../src/crypto/signed';
import type { Bytes } from '../../src/crypto/wire';

const random = (length: number): Bytes => crypto.getRandomValues(new Uint8Array(length));
const offer = (value: number, mode: 'classic' | 'post-quantum' = 'post-quantum') =>
  ({ workerId: 'worker', publicKey: new Uint8Array(1664).fill(value), mode });

let factory: IDBFactory;
beforeEach(() => {
  factory = new IDBFactory();
});
/** Each call is another tab of the same browser. */
const tab = async () => new PinStore(await openDatabase(factory));

describe('pins', () => {
  it('keep the first of two tabs at first contact, and the second compares', async () => {
    const [one, two] = await Promise.all([tab(), tab()]);
    const kept = await Promise.all([one.confirm(offer(1), 10, { words: 'a' }), two.confirm(offer(2), 10, { words: 'b' })]);
    expect(kept).toEqual([true, false]);
    expect((await two.consult(offer(2), 11)).verdict).toBe('key-changed');
    expect((await two.consult(offer(1), 11)).verdict).toBe('match');
  });

  it('remember when they were first seen and last used', async () => {
    const pins = await tab();
    await pins.confirm(offer(1), 10, { words: 'a' });
    await pins.confirm(offer(1), 500, { words: 'a' });
    expect(await pins.all()).toMatchObject([{ firstSeen: 10, lastUsed: 500, verified: false, words: 'a' }]);
  });

  it('are dropped when not used for 365 days, not a millisecond before', async () => {
    const pins = await tab();
    await pins.confirm(offer(1), 0, { words: 'a' });
    expect(await pins.consult(offer(2), UNUSED_MS)).toMatchObject({ verdict: 'key-changed', dropped: false });
    expect(await pins.consult(offer(2), UNUSED_MS + 1)).toEqual({ verdict: 'first-use', dropped: true });
    expect(await pins.all()).toEqual([]);
  });

  it('follow a stronger mode and never a weaker one by themselves', async () => {
    const pins = await tab();
    await pins.confirm(offer(1, 'classic'), 0, { words: 'a' });
    expect((await pins.consult(offer(1), 1)).verdict).toBe('mode-stronger');
    expect(await pins.confirm(offer(1), 1, { words: 'a' })).toBe(true);
    expect(await pins.confirm(offer(1, 'classic'), 2, { words: 'a' })).toBe(false);
    expect((await pins.consult(offer(2, 'classic'), 2)).verdict).toBe('key-and-mode');
  });

  it('are replaced only where they are still what a person looked at', async () => {
    const pins = await tab();
    await pins.confirm(offer(1), 0, { words: 'a' });
    const [seen] = await pins.all() as [Pin];
    expect(await pins.confirm(offer(2), 1, { words: 'b', agreed: seen })).toBe(true);
    expect(await pins.confirm(offer(3), 2, { words: 'c', agreed: seen })).toBe(false);
    expect(await pins.all()).toMatchObject([{ words: 'b', firstSeen: 1 }]);
  });

  it('lose their verification with their key, and keep it over a rotation', async () => {
    const pins = await tab();
    await pins.confirm(offer(1), 0, { words: 'a' });
    expect(await pins.markVerified('worker', fullFingerprint(offer(2).publicKey))).toBe(false);
    expect(await pins.markVerified('worker', fullFingerprint(offer(1).publicKey))).toBe(true);
    const [first] = await pins.all() as [Pin];
    await pins.confirm(offer(2), 1, { words: 'b', agreed: first, rotationSerial: 5 });
    const [rotated] = await pins.all() as [Pin];
    expect(rotated).toMatchObject({ verified: true, rotationSerial: 5 });
    await pins.confirm(offer(3), 2, { words: 'c', agreed: rotated });
    expect(await pins.all()).toMatchObject([{ verified: false, rotationSerial: 0 }]);
  });

  it('can be forgotten, and what does not exist cannot be verified', async () => {
    const pins = await tab();
    await pins.confirm(offer(1), 0, { words: 'a' });
    await pins.forget('worker');
    expect(await pins.all()).toEqual([]);
    expect(await pins.markVerified('worker', fullFingerprint(offer(1).publicKey))).toBe(false);
    expect(await pins.all()).toEqual([]);
  });
});

describe('the database', () => {
  it('is opened anew after it was closed under the thread', async () => {
    let opened = 0;
    const database = once((forget) => {
      opened += 1;
      return openDatabase(factory, forget);
    });
    await new PinStore(await database()).confirm(offer(1), 10, { words: 'a' });
    expect([await database() === await database(), opened]).toEqual([true, 1]);
    await new Promise<void>((resolve, reject) => {
      const request = factory.deleteDatabase('leapmux');
      request.onsuccess = () => resolve();
      request.onerror = () => reject(request.error);
    });
    expect(await new PinStore(await database()).all()).toEqual([]);
    expect(opened).toBe(2);
  });

  it('is tried again after it could not be opened', async () => {
    let tries = 0;
    const thing = once(async () => {
      tries += 1;
      if (tries === 1) throw new Error('no');
      return tries;
    });
    await expect(thing()).rejects.toThrow('no');
    await expect(thing()).resolves.toBe(2);
  });
});

describe("this browser's key", () => {
  const statement = async (device: Awaited<ReturnType<typeof loadDevice>>, mode: 'classic' | 'post-quantum') => {
    const signed = await device.sign(mode, 'leapmux user claim v1', Uint8Array.of(1, 2), Uint8Array.of(3), random(32));
    verify(mode, 'leapmux user claim v1', Uint8Array.of(1, 2), signed);
    return signed.key;
  };

  it.each([['WebCrypto', crypto.subtle as SubtleCrypto | undefined], ['no WebCrypto', undefined]])(
    'is made once and signs strictly, with %s', async (_name, subtle) => {
      const database = await openDatabase(factory);
      const first = await loadDevice(database, subtle, random);
      const again = await loadDevice(await openDatabase(factory), subtle, random);
      for (const mode of ['classic', 'post-quantum'] as const) {
        expect(await statement(first, mode)).toEqual(await statement(again, mode));
      }
    });

  it('is the same in two tabs that make it at once', async () => {
    const databases = await Promise.all([openDatabase(factory), openDatabase(factory)]);
    const [one, two] = await Promise.all(databases.map((database) => loadDevice(database, crypto.subtle, random)));
    expect(one!.publicKey('post-quantum')).toEqual(two!.publicKey('post-quantum'));
  });

  it('is not readable where the platform keeps it, and its seed is stored sealed', async () => {
    const database = await openDatabase(factory);
    const drawn: Bytes[] = [];
    await loadDevice(database, crypto.subtle, (length) => {
      const bytes = random(length);
      drawn.push(bytes.slice());
      return bytes;
    });
    const kept = await new Promise<Record<string, unknown>>((resolve) => {
      const request = database.transaction('device').objectStore('device').get('device');
      request.onsuccess = () => resolve(request.result as Record<string, unknown>);
    });
    expect(kept['kind']).toBe('platform');
    expect((kept['ed25519Private'] as CryptoKey).extractable).toBe(false);
    expect((kept['wrappingKey'] as CryptoKey).extractable).toBe(false);
    const seed = Buffer.from(drawn[0]!);
    const stored = Object.values(kept).filter((value) => value instanceof Uint8Array).map((value) => Buffer.from(value as Uint8Array));
    expect(seed.length).toBe(32);
    expect(stored.some((bytes) => bytes.includes(seed))).toBe(false);
  });
});
