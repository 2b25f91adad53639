// What the shells of this folder take from the world outside: tests give their own.

import type { DeviceKey } from '../crypto/device';
import type { Bytes, RandomSource } from '../crypto/wire';
import type { FromThread, TrustAnswer, TrustQuestion } from './door';
import type { Parameters } from './parameters';
import type { Signed } from '../gen/leapmux/v1/channel_pb';
import type { GrantedStore } from './granted';
import type { PinStore } from './pins';
import type { RegistrationStore } from './registrations';

/** One WebSocket of the Hub's relay. */
export interface Wire {
  send(message: Bytes): void;
  close(): void;
  /** Bytes that the socket has taken and not sent. */
  readonly bufferedAmount: number;
}
export interface WireEvents {
  onOpen(): void;
  onMessage(message: Bytes): void;
  /** Once, however it ended; also when it never opened. */
  onClose(): void;
}

export interface Surroundings {
  connect(events: WireEvents): Wire;
  /** Rejects with a ParametersError. */
  parameters(workerId: string): Promise<Parameters>;
  /** What speaks for this browser at a Worker; fails where the Hub cannot be asked. */
  certificates(workerId: string): Promise<Signed[]>;
  pins(): Promise<PinStore>;
  registrations(): Promise<RegistrationStore>;
  granted(): Promise<GrantedStore>;
  device(): Promise<DeviceKey>;
  words(publicKey: Bytes): string;
  /** Rejecting, throwing and silence all mean: reject. */
  trust(question: TrustQuestion): Promise<TrustAnswer>;
  tell(message: FromThread, transfer?: Transferable[]): void;
  random: RandomSource;
  /** Milliseconds on a clock that nobody sets: a lifetime measured by it neither jumps nor runs backwards. */
  now(): number;
  /** Milliseconds since 1970, as the machine has it: to keep and to show. */
  date(): number;
  /** Calls once after so many milliseconds; gives the way to call it off. */
  after(milliseconds: number, call: () => void): () => void;
}

/** A number in [0, 1). */
export function draw(random: RandomSource): number {
  return new DataView(random(4).buffer).getUint32(0) / 2 ** 32;
}
