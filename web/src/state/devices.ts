/** The devices that each Worker trusts, of every user of it, and those that wait. */

import { computed, signal } from '@preact/signals';
import {
  DeviceApproveSchema,
  DeviceListRequestSchema,
  DeviceListSchema,
  DeviceRemoveSchema,
  DeviceState,
  type Device,
} from '../gen/leapmux/v1/services_pb';
import { Growing } from '../hub/retry';
import { displayText } from '../ui/text';
import { account } from './account';
import { call, onReady, watch } from './channels';
import { vouchFor } from './own-device';
import { toast } from './toasts';

export const devices = signal<ReadonlyMap<string, Device[]>>(new Map());
/** Devices that a person does not want to judge now. */
const putOff = signal<ReadonlySet<string>>(new Set());

export interface WaitingDevice {
  workerId: string;
  device: Device;
}

/** The one to ask about: this person's own before another user's. */
export const waitingDevice = computed<WaitingDevice | undefined>(() => {
  const waiting = [...devices.value].flatMap(([workerId, list]) =>
    list.filter((one) => one.state === DeviceState.WAITING && !one.thisOne).map((device) => ({ workerId, device })),
  ).filter((one) => !putOff.value.has(keyOf(one)));
  return waiting.find(({ device }) => otherUser(device) === undefined) ?? waiting[0];
});

/** Whose device it is, where it is not this person's: to trust it lets that user in. */
export function otherUser(device: Device): string | undefined {
  const who = account.value;
  const own = who.state === 'signed-in' && who.userId === device.userId;
  return own ? undefined : displayText(device.userId, 64) || 'unknown';
}

export function followDevices(): void {
  onReady((workerId) => {
    watch(workerId, 'devices.watch', DeviceListRequestSchema, DeviceListSchema, (list) => {
      keep(workerId, list.devices);
    }, new Growing(), '');
  });
}

export function notNow(one: WaitingDevice): void {
  putOff.value = new Set([...putOff.value, keyOf(one)]);
}

export async function approve({ workerId, device }: WaitingDevice): Promise<void> {
  try {
    const init = { key: device.key, userId: device.userId };
    keep(workerId, (await call(workerId, 'devices.approve', DeviceApproveSchema, init, DeviceListSchema)).devices);
    toast('Device approved.');
    // Others' Workers learn it from a certificate.
    if (otherUser(device) === undefined) await vouchFor(device.userId, device.algorithm, device.key).catch(() => undefined);
  } catch {
    toast('The device could not be approved. Try again.', 'danger');
  }
}

export async function remove({ workerId, device }: WaitingDevice): Promise<void> {
  try {
    const init = { key: device.key, userId: device.userId };
    keep(workerId, (await call(workerId, 'devices.remove', DeviceRemoveSchema, init, DeviceListSchema)).devices);
    toast('Device removed.');
  } catch {
    toast('The device could not be removed. Try again.', 'danger');
  }
}

function keep(workerId: string, list: Device[]): void {
  devices.value = new Map(devices.peek()).set(workerId, list);
}

/** One device of one user at one Worker: the same key may wait for two users. */
export function keyOf({ workerId, device }: WaitingDevice): string {
  return `${workerId} ${device.userId} ${device.key.join(',')}`;
}
