// The secrets of registration keys that were made here, until the Worker has been met. The Hub never
// sees one: the Worker tags its key under the secret it was given, and who finds the tag right knows
// the Worker's key without having trusted the Hub (docs/protocol.md, section 10).

import { workerTagVerifies } from '../crypto/registration';
import type { Bytes } from '../crypto/wire';
import { done, transact } from './database';
import type { Parameters } from './parameters';

/** More than anybody registers before one is met; the oldest go first. */
const KEPT = 64;

export interface Registration { id: string; secret: Bytes; made: number }

/** `wrong` is never taken for `none`: somebody has put another key in the Worker's place. */
export type Vouched = 'none' | 'good' | 'wrong';

export class RegistrationStore {
  constructor(private readonly database: IDBDatabase) {}

  keep(registration: Registration): Promise<void> {
    return transact(this.database, 'registrations', 'readwrite', async (store) => {
      const known = await done(store.getAll() as IDBRequest<Registration[]>);
      const old = known.toSorted((a, b) => b.made - a.made).slice(KEPT - 1);
      for (const { id } of old) await done(store.delete(id));
      await done(store.put(registration));
    });
  }

  async forget(id: string): Promise<void> {
    await transact(this.database, 'registrations', 'readwrite', (store) => done(store.delete(id)));
  }

  /** What the secret says of the key that the Hub offers. */
  async judge({ registrationId, registrationTag, publicKey }: Parameters): Promise<Vouched> {
    if (!registrationId) return 'none';
    const known = await transact(this.database, 'registrations', 'readonly', (store) =>
      done(store.get(registrationId) as IDBRequest<Registration | undefined>));
    if (!known) return 'none';
    const tag = registrationTag ?? new Uint8Array(0);
    return workerTagVerifies(known.secret, registrationId, publicKey, tag) ? 'good' : 'wrong';
  }
}
