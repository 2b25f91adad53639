// The client's half of renewal: serials, and the one Renew that waits for its answer. A serial is used
// once, whatever became of it; only the newest counts.

import { drawRandomness } from '../crypto/exchange';
import type { Mode } from '../crypto/mode';
import type { PublicKey } from '../crypto/public-key';
import { AwaitingRenewal } from '../crypto/renewal';
import type { Established } from '../crypto/symmetric';
import type { Bytes, RandomSource } from '../crypto/wire';
import type { Epoch } from './epoch';
import type { ControlBody } from './outer';
import { RefusalReason } from './reasons';

interface Parts { mode: Mode; workerKey: PublicKey; channelId: Bytes; workerId: string; random: RandomSource }

/** Refusals that say nothing about the channel: the same may succeed later. */
const PASSING = new Set([RefusalReason.WORKER_OFFLINE, RefusalReason.QUOTA, RefusalReason.BUSY,
  RefusalReason.TIMEOUT, RefusalReason.DRAINING]);

export const mayPass = (reason: RefusalReason): boolean => PASSING.has(reason);

export class Renewals {
  #serial = 0;
  #awaiting: AwaitingRenewal | undefined;

  constructor(private readonly parts: Parts) {}

  /** The newest that was used. */
  get serial(): number {
    return this.#serial;
  }

  /** A new Renew, based on `base`. `received`: counted frames decrypted since the channel opened. */
  begin(base: Epoch, received: bigint): ControlBody {
    this.giveUp();
    const { mode, workerKey, channelId, workerId, random } = this.parts;
    const renewal = { mode, serial: ++this.#serial, base: base.number, received };
    this.#awaiting = new AwaitingRenewal(renewal, base.root, workerKey, drawRandomness(random));
    return {
      case: 'renew',
      value: {
        $typeName: 'leapmux.v1.Renew', channelId, workerId,
        serial: renewal.serial, base: renewal.base, noise: this.#awaiting.message1,
      },
    };
  }

  /** Whether it is the newest Renew that this answers. */
  awaits(serial: number): boolean {
    return this.#awaiting?.renewal.serial === serial;
  }

  /** Reads the answer to the newest Renew. Undefined if it is a bad one, which is final. */
  finish(noise: Bytes): { serial: number; established: Established; received: bigint } | undefined {
    const awaiting = this.#awaiting;
    this.#awaiting = undefined;
    try {
      return awaiting && { serial: awaiting.renewal.serial, ...awaiting.finish(noise) };
    } catch {
      return undefined;
    }
  }

  giveUp(): void {
    this.#awaiting?.wipe();
    this.#awaiting = undefined;
  }
}
