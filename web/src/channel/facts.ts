// What the page shows of a Worker besides the state of its channel.

import { fullFingerprint } from '../crypto/fingerprint';
import type { Mode } from '../crypto/mode';
import { equalBytes } from '../crypto/wire';
import type { ChannelStatus } from './door';
import type { Parameters } from './parameters';
import type { Surroundings } from './surroundings';

export type Facts = Pick<ChannelStatus,
  'mode' | 'words' | 'fullFingerprint' | 'verified' | 'firstSeen' | 'lastUsed' | 'deviceWords' | 'pinDropped'>;

/** Of a Worker whose claim was accepted, read from the pin that was just written. */
export async function factsOf(surroundings: Surroundings, workerId: string, { publicKey: key, mode }: Parameters): Promise<Facts> {
  const store = await surroundings.pins();
  const pin = (await store.all()).find((entry) => entry.workerId === workerId && equalBytes(entry.publicKey, key));
  return {
    mode, fullFingerprint: fullFingerprint(key), words: pin?.words || surroundings.words(key),
    verified: pin?.verified ?? false, firstSeen: pin?.firstSeen, lastUsed: pin?.lastUsed,
    deviceWords: await deviceWords(surroundings, mode),
  };
}

export async function deviceWords(surroundings: Surroundings, mode: Mode): Promise<string> {
  return surroundings.words((await surroundings.device()).publicKey(mode));
}
