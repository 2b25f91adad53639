// Pins: which key and which mode a Worker had. Written only after a claim was accepted, each verdict
// and its writing in one transaction, so that of two tabs at first contact the first wins and the
// second compares.

import { fullFingerprint } from '../crypto/fingerprint';
import type { Mode } from '../crypto/mode';
import { type PinVerdict, judge, stops } from '../crypto/pin';
import { type Bytes, equalBytes } from '../crypto/wire';
import { done, transact } from './database';

/** A pin unused for so long is dropped. */
export const UNUSED_MS = 365 * 24 * 60 * 60 * 1000;

export interface Pin {
  workerId: string; publicKey: Bytes; mode: Mode;
  firstSeen: number; lastUsed: number; verified: boolean;
  label: string; words: string;
  /** The highest serial of a rotation certificate that was followed; 0 = none. */
  rotationSerial: number;
}

export interface Offer { workerId: string; publicKey: Bytes; mode: Mode }

export interface Consulted {
  verdict: PinVerdict;
  pin?: Pin;
  /** A pin that had not been used for a year was dropped just now. */
  dropped: boolean;
}

export class PinStore {
  constructor(private readonly database: IDBDatabase) {}

  /** What the pin says of an offer. Changes nothing but dropping a pin that is too old. */
  consult(offer: Offer, now: number): Promise<Consulted> {
    return transact(this.database, 'pins', 'readwrite', async (store) => {
      const pin = await load(store, offer.workerId);
      if (pin && now - pin.lastUsed > UNUSED_MS) {
        await done(store.delete(offer.workerId));
        return { verdict: 'first-use', dropped: true };
      }
      const verdict = judge(pin, offer.publicKey, offer.mode);
      return pin ? { verdict, pin, dropped: false } : { verdict, dropped: false };
    });
  }

  /**
   * After the claim was accepted: records the first use, or refreshes. `agreed` is the pin whose
   * replacement a person (or a rotation) allowed; `verified`, that a registration's secret proved the key. False if the store meanwhile says otherwise: then
   * the channel has to be closed.
   */
  confirm(offer: Offer, now: number, { words, agreed, rotationSerial = 0, verified = false }: Confirmation): Promise<boolean> {
    return transact(this.database, 'pins', 'readwrite', async (store) => {
      const pin = await load(store, offer.workerId);
      const verdict = judge(pin, offer.publicKey, offer.mode);
      if (stops(verdict) && !(pin && agreed && isSame(pin, agreed))) return false;
      await done(store.put(next(pin, verdict, offer, { now, words, rotationSerial, verified })));
      return true;
    });
  }

  all(): Promise<Pin[]> {
    return transact(this.database, 'pins', 'readonly', (store) => done(store.getAll() as IDBRequest<Pin[]>));
  }

  async forget(workerId: string): Promise<void> {
    await transact(this.database, 'pins', 'readwrite', (store) => done(store.delete(workerId)));
  }

  /** Only the key whose words were compared, `full` as hex, can be verified. False if there is no pin, or one of another key. */
  markVerified(workerId: string, full: string): Promise<boolean> {
    return transact(this.database, 'pins', 'readwrite', async (store) => {
      const pin = await load(store, workerId);
      if (!pin || fullFingerprint(pin.publicKey) !== full) return false;
      await done(store.put({ ...pin, verified: true }));
      return true;
    });
  }
}

export interface Confirmation { words: string; agreed?: Pin; rotationSerial?: number; verified?: boolean }
interface Confirmed { now: number; words: string; rotationSerial: number; verified: boolean }

/** The same key keeps its history; another key begins a new one, unverified unless rotated into. */
function next(pin: Pin | undefined, verdict: PinVerdict, offer: Offer, confirmed: Confirmed): Pin {
  const { now, words, rotationSerial, verified } = confirmed;
  const sameKey = pin !== undefined && (verdict === 'match' || verdict === 'mode-stronger' || verdict === 'mode-weaker');
  const rotated = pin !== undefined && rotationSerial > pin.rotationSerial;
  const { workerId, publicKey, mode } = offer;
  return {
    workerId, publicKey, mode, words,
    firstSeen: sameKey ? pin.firstSeen : now,
    lastUsed: now,
    verified: verified || ((sameKey || rotated) && pin.verified),
    label: pin?.label ?? '',
    rotationSerial: rotated ? rotationSerial : sameKey ? pin.rotationSerial : 0,
  };
}

const load = (store: IDBObjectStore, workerId: string): Promise<Pin | undefined> =>
  done(store.get(workerId) as IDBRequest<Pin | undefined>);

const isSame = (a: Pin, b: Pin): boolean => a.mode === b.mode && equalBytes(a.publicKey, b.publicKey);
