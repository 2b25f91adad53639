/** The devices that each Worker trusts, of every user of it, and those that wait. */

import { computed, signal } from '@preact/signals';
import {
  DeviceApproveSchema,
  DeviceListRequestSchema,
  DeviceListSchema,
  DeviceRemoveSchema,
  DeviceState,
  type Device,
  type DeviceList,
} from '../gen/leapmux/v1/services_pb';
import { Growing } from '../hub/retry';
import { displayText } from '../ui/text';
import { account } from './account';
import { call, onReady, watch } from './channels';
import { wordsOf } from './key-words';
import { vouchFor } from './own-device';
import { toast } from './toasts';
import { isMine, workerOf } from './workers';

export const devices = signal<ReadonlyMap<string, Device[]>>(new Map());
/** How many more each Worker knows than one list holds. */
export const omitted = signal<ReadonlyMap<string, number>>(new Map());
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

/** Only its owner judges devices at a Worker. */
export function followDevices(): void {
  onReady((workerId) => {
    if (isMyWorker(workerId)) watch(workerId, 'devices.watch', DeviceListRequestSchema, DeviceListSchema, (list) => {
      keep(workerId, list);
    }, new Growing(), '');
  });
}

export function notNow(one: WaitingDevice): void {
  putOff.value = new Set([...putOff.value, keyOf(one)]);
}

/** The words to compare, made here from the key that an approval would be about. */
export function wordsOfDevice({ device }: WaitingDevice): string | undefined {
  return wordsOf(device.key);
}

/** Nobody can have compared words that are not there yet. */
export async function approve(one: WaitingDevice): Promise<void> {
  const { workerId, device } = one;
  if (wordsOfDevice(one) === undefined) return;
  try {
    const init = { key: device.key, userId: device.userId };
    keep(workerId, await call(workerId, 'devices.approve', DeviceApproveSchema, init, DeviceListSchema));
    toast('Device approved.');
    // Others' Workers learn it from a certificate.
    if (otherUser(device) === undefined && isMyWorker(workerId)) await vouchFor(device.userId, device.algorithm, device.key).catch(() => undefined);
  } catch {
    toast('The device could not be approved. Try again.', 'danger');
  }
}

export async function remove({ workerId, device }: WaitingDevice): Promise<void> {
  try {
    const init = { key: device.key, userId: device.userId };
    keep(workerId, await call(workerId, 'devices.remove', DeviceRemoveSchema, init, DeviceListSchema));
    toast('Device removed.');
  } catch {
    toast('The device could not be removed. Try again.', 'danger');
  }
}

function isMyWorker(workerId: string): boolean {
  const worker = workerOf(workerId);
  return worker !== undefined && isMine(worker);
}

function keep(workerId: string, list: DeviceList): void {
  devices.value = new Map(devices.peek()).set(workerId, list.devices);
  omitted.value = new Map(omitted.peek()).set(workerId, list.omitted);
}

/** One device of one user at one Worker: the same key may wait for two users. */
export function keyOf({ workerId, device }: WaitingDevice): string {
  return `${workerId} ${device.userId} ${device.key.join(',')}`;
}
