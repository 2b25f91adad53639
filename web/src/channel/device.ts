// Where this browser's key is kept. Where the platform can, Ed25519 is a WebCrypto key that nobody can
// read, and the ML-DSA seed is sealed under another such key. On plain http beyond loopback there is
// no WebCrypto; then both seeds are stored as they are, and the page says what is at risk there.

import { DeviceKey, type DeviceHalves, halvesFromSeeds } from '../crypto/device';
import { ed25519VerifiesStrictly } from '../crypto/ed25519';
import { mlDsaPublicKey } from '../crypto/ml-dsa';
import { type Bytes, type RandomSource, ascii, wipe } from '../crypto/wire';
import { done, transact } from './database';

interface KeptByPlatform {
  kind: 'platform';
  ed25519Public: Bytes; ed25519Private: CryptoKey;
  mlDsaPublic: Bytes; wrappingKey: CryptoKey; iv: Bytes; wrappedSeed: Bytes;
}
interface KeptAsSeeds { kind: 'seeds'; ed25519Secret: Bytes; mlDsaSeed: Bytes }
type Kept = KeptByPlatform | KeptAsSeeds;

const KEY = 'device';

/** The key of this browser profile, made at first need. Of two tabs that make one, the first wins. */
export async function loadDevice(database: IDBDatabase, subtle: SubtleCrypto | undefined, random: RandomSource): Promise<DeviceKey> {
  const stored = await transact(database, 'device', 'readonly', (store) => done(store.get(KEY) as IDBRequest<Kept | undefined>));
  if (stored) return new DeviceKey(halves(stored, subtle));
  const made = (subtle && await makeOnPlatform(subtle, random)) ?? makeSeeds(random);
  const winner = await transact(database, 'device', 'readwrite', async (store) => {
    const earlier = await done(store.get(KEY) as IDBRequest<Kept | undefined>);
    if (!earlier) await done(store.put(made, KEY));
    return earlier ?? made;
  });
  return new DeviceKey(halves(winner, subtle));
}

function makeSeeds(random: RandomSource): KeptAsSeeds {
  return { kind: 'seeds', ed25519Secret: random(32), mlDsaSeed: random(32) };
}

/** Undefined where the platform has no Ed25519, or one that does not sign as RFC 8032 says. */
async function makeOnPlatform(subtle: SubtleCrypto, random: RandomSource): Promise<KeptByPlatform | undefined> {
  const seed = random(32);
  try {
    const pair = await subtle.generateKey({ name: 'Ed25519' }, false, ['sign', 'verify']) as CryptoKeyPair;
    const ed25519Public = new Uint8Array(await subtle.exportKey('raw', pair.publicKey));
    const probe = ascii('leapmux device probe');
    const signature = new Uint8Array(await subtle.sign('Ed25519', pair.privateKey, probe));
    if (!ed25519VerifiesStrictly(ed25519Public, probe, signature)) return undefined;
    const wrappingKey = await subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
    const iv = random(12);
    const wrappedSeed = new Uint8Array(await subtle.encrypt({ name: 'AES-GCM', iv }, wrappingKey, seed));
    return {
      kind: 'platform', ed25519Public, ed25519Private: pair.privateKey,
      mlDsaPublic: mlDsaPublicKey(seed), wrappingKey, iv, wrappedSeed,
    };
  } catch {
    return undefined;
  } finally {
    wipe(seed);
  }
}

function halves(kept: Kept, subtle: SubtleCrypto | undefined): DeviceHalves {
  if (kept.kind === 'seeds') return halvesFromSeeds(kept.ed25519Secret, kept.mlDsaSeed);
  if (!subtle) throw new Error('this key was made on a secure origin and can be used only there');
  return {
    ed25519Public: kept.ed25519Public,
    mlDsaPublic: kept.mlDsaPublic,
    signEd25519: async (message) => new Uint8Array(await subtle.sign('Ed25519', kept.ed25519Private, message)),
    mlDsaSeed: async () =>
      new Uint8Array(await subtle.decrypt({ name: 'AES-GCM', iv: kept.iv }, kept.wrappingKey, kept.wrappedSeed)),
  };
}
