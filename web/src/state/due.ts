/** What an owner's certificates say, and what they ought to say. Pure; time comes in. */

import type { GrantToSign } from '../channel/handle';
import { Role } from '../gen/leapmux/v1/channel_pb';
import type { GranteeDevices, UserDeviceKey } from '../gen/leapmux/v1/workspaces_pb';

export type Mode = 'classic' | 'post-quantum';

/** `none`: there was nothing, and there is nothing to be. */
export type Standing = 'certified' | 'waiting' | 'due' | 'none';

const DAY_MS = 86_400_000;
/** Below the 30 days that a Worker takes, for clocks that differ. */
const LIFE_MS = 29 * DAY_MS;
const RENEW_BELOW_MS = 10 * DAY_MS;
const ED25519_LEN = 32;

/** The key of a person's first device, as a Worker of this mode knows it. */
export function firstKey(devices: readonly UserDeviceKey[], mode: Mode): Uint8Array | undefined {
  const oldest = devices.toSorted((a, b) => Number(a.createdUnixMs - b.createdUnixMs));
  const both = oldest.find(({ algorithm }) => algorithm === 2)?.key;
  if (mode === 'post-quantum') return both;
  // One device has both halves; the first alone speaks for it in classic mode.
  return both?.subarray(0, ED25519_LEN) ?? oldest.find(({ algorithm }) => algorithm === 1)?.key;
}

export function standingOf(one: GranteeDevices, mode: Mode, now: number): Standing {
  const stands = one.certifiedRole !== Role.UNSPECIFIED && Number(one.certifiedUntilUnixMs) > now;
  if (one.role === Role.UNSPECIFIED) return stands ? 'due' : 'none';
  const key = firstKey(one.devices, mode);
  if (!key) return 'waiting';
  return stands && one.certifiedRole === one.role && same(one.certifiedDeviceKey, key) ? 'certified' : 'due';
}

/** The certificate to make next, if one is: what is due, and what ends soon. */
export function nextGrant(workerId: string, one: GranteeDevices, mode: Mode, now: number): GrantToSign | undefined {
  const standing = standingOf(one, mode, now);
  const ends = standing === 'certified' && Number(one.certifiedUntilUnixMs) - now < RENEW_BELOW_MS;
  if (standing !== 'due' && !ends) return undefined;
  const deviceKey = one.role === Role.UNSPECIFIED ? one.certifiedDeviceKey : firstKey(one.devices, mode);
  if (!deviceKey || deviceKey.length === 0) return undefined;
  return {
    workerId, deviceKey, workspaceId: one.workspaceId, userId: one.userId, role: one.role,
    serial: serialAfter(one.newestSerial, now), expiresAt: endOf(now),
  };
}

/** Rises with time, too: a Hub that lost its memory, or says so, brings nobody's serials below those of before. */
export function serialAfter(newest: bigint, now: number): bigint {
  const [next, time] = [newest + 1n, BigInt(now)];
  return next > time ? next : time;
}

/** When a certificate that is made now ends, in seconds since 1970. */
export function endOf(now: number): number {
  return Math.floor((now + LIFE_MS) / 1000);
}

/** That a grant is what a person saw: the same somebody in the same place, that role, and that whole key. */
export function saw({ workspaceId, userId, role }: GranteeDevices, deviceKey: Uint8Array): (grant: GrantToSign) => boolean {
  return (grant) => grant.workspaceId === workspaceId && grant.userId === userId && grant.role === role && same(grant.deviceKey, deviceKey);
}

export function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
