// What this browser has signed for whom. Without a person's act nothing is signed again but what was
// signed here before: the Hub, which says what is due, could otherwise have anybody let in.

import { type Bytes, equalBytes } from '../crypto/wire';
import { Role } from '../gen/leapmux/v1/channel_pb';
import { done, transact } from './database';
import type { GrantSigned, GrantToSign } from './door';

interface Granted { name: string; deviceKey: Bytes; role: number; serial: bigint }

/** Counted up from 1 nobody gets there; a Hub that says so would leave no serial for a withdrawal. */
const SERIAL_MAX = 2n ** 53n;

const nameOf = ({ workerId, workspaceId, userId }: GrantToSign): string => `${workerId} ${workspaceId} ${userId}`;

export class GrantedStore {
  constructor(private readonly database: IDBDatabase) {}

  /** The grant with a serial above all that were signed here; undefined where only a person may decide, and where no sane serial is left. */
  admit(grant: GrantToSign, acted: boolean): Promise<GrantToSign | undefined> {
    return transact(this.database, 'grants', 'readwrite', async (store) => {
      const name = nameOf(grant);
      const known = await done(store.get(name) as IDBRequest<Granted | undefined>);
      if (grant.serial > SERIAL_MAX || (!acted && !isRepeated(grant, known))) return undefined;
      const serial = known && known.serial >= grant.serial ? known.serial + 1n : grant.serial;
      await done(store.put({ name, deviceKey: grant.deviceKey as Bytes, role: grant.role, serial } satisfies Granted));
      return { ...grant, serial };
    });
  }

  /** The newest of each person at a Worker. */
  at(workerId: string): Promise<GrantSigned[]> {
    return transact(this.database, 'grants', 'readonly', async (store) => {
      const all = await done(store.getAll() as IDBRequest<Granted[]>);
      return all.flatMap(({ name, deviceKey, role }) => {
        const [worker, workspaceId = '', userId = ''] = name.split(' ');
        return worker === workerId ? [{ workspaceId, userId, deviceKey, role }] : [];
      });
    });
  }
}

/** To withdraw, or to give no more than was given to the same device, needs nobody. */
function isRepeated(grant: GrantToSign, known: Granted | undefined): boolean {
  if (grant.role === Role.UNSPECIFIED) return true;
  return known !== undefined && grant.role <= known.role && equalBytes(known.deviceKey, grant.deviceKey);
}
