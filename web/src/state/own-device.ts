/** This browser's key at the Hub, so that others' grants can name it; and what speaks for further devices. */

import { signal } from '@preact/signals';
import {
  ListDevicesRequestSchema, ListDevicesResponseSchema,
  PublishDeviceCertificateRequestSchema, PublishDeviceCertificateResponseSchema,
  RegisterDeviceRequestSchema, RegisterDeviceResponseSchema,
  type UserDevice,
} from '../gen/leapmux/v1/accounts_pb';
import { sentence } from '../hub/refusals';
import { RpcFailure, rpc } from '../hub/rpc';
import { channels } from './channels';
import { browserName } from './browser';

/** By algorithm. */
const KEY_LEN: Readonly<Record<number, number>> = { 1: 32, 2: 1984 };
const YEAR_MS = 365 * 86_400_000;
/** Out of the way of what a person waits for. */
const AFTER_MS = 1_500;

/** Why the Hub does not know this device, where a person can do something about it. */
export const notRegistered = signal<string | undefined>(undefined);
/** Rises when the Hub has been told of it. */
export const registrations = signal(0);

export function followOwnDevice(): void {
  setTimeout(() => void registerDevice().catch(() => undefined), AFTER_MS);
}

export async function registerDevice(): Promise<void> {
  try {
    await register();
    notRegistered.value = undefined;
    registrations.value += 1;
  } catch (error) {
    if (error instanceof RpcFailure && error.code === 'resource_exhausted') notRegistered.value = sentence(error);
    throw error;
  }
}

/** In both modes at once: the longer key has the shorter one in it. */
async function register(): Promise<void> {
  const { algorithm, key } = await channels().work('own-device', { mode: 'post-quantum' });
  const label = browserName(navigator.userAgent);
  await rpc('AccountService/RegisterDevice', RegisterDeviceRequestSchema, { algorithm, key, label }, RegisterDeviceResponseSchema);
}

export async function listDevices(): Promise<UserDevice[]> {
  return (await rpc('AccountService/ListDevices', ListDevicesRequestSchema, {}, ListDevicesResponseSchema)).devices;
}

/**
 * Says, signed by this device, that the other one is the same person's. The Hub shows it to every
 * Worker that asks; whether this device may say so is the Worker's to judge.
 */
export async function vouchFor(userId: string, algorithm: number, key: Uint8Array): Promise<void> {
  if (key.length !== KEY_LEN[algorithm]) throw new Error('not a key of this kind');
  const now = Date.now();
  const [serial, expiresAt] = [BigInt(now), Math.floor((now + YEAR_MS) / 1000)];
  const modes = algorithm === 2 ? (['post-quantum', 'classic'] as const) : (['classic'] as const);
  for (const mode of modes) {
    const named = mode === 'classic' ? key.slice(0, 32) : key;
    const signed = await channels().work('sign-device', { mode, userId, key: named, serial, expiresAt });
    await rpc('AccountService/PublishDeviceCertificate', PublishDeviceCertificateRequestSchema,
      { signed, serial, expiresUnixMs: BigInt(expiresAt) * 1000n }, PublishDeviceCertificateResponseSchema);
  }
}
