/** The devices that each Worker trusts for this user, and those that wait. */

import { computed, signal } from '@preact/signals';
import {
  DeviceApproveSchema,
  DeviceListRequestSchema,
  DeviceListSchema,
  DeviceRemoveSchema,
  DeviceState,
  type Device,
} from '../gen/leapmux/v1/services_pb';
import { call, onReady, watch } from './channels';
import { toast } from './toasts';

export const devices = signal<ReadonlyMap<string, Device[]>>(new Map());
/** Devices that a person does not want to judge now. */
const putOff = signal<ReadonlySet<string>>(new Set());

export interface WaitingDevice {
  workerId: string;
  device: Device;
}

/** The one to ask about. */
export const waitingDevice = computed<WaitingDevice | undefined>(() => {
  for (const [workerId, list] of devices.value) {
    const device = list.find(
      (one) =>
        one.state === DeviceState.WAITING && !one.thisOne && !putOff.value.has(keyOf(workerId, one)),
    );
    if (device) return { workerId, device };
  }
  return undefined;
});

export function followDevices(): void {
  onReady((workerId) => {
    watch(workerId, 'devices.watch', DeviceListRequestSchema, DeviceListSchema, (list) => {
      keep(workerId, list.devices);
    });
  });
}

export function notNow({ workerId, device }: WaitingDevice): void {
  putOff.value = new Set([...putOff.value, keyOf(workerId, device)]);
}

export async function approve({ workerId, device }: WaitingDevice): Promise<void> {
  try {
    const init = { key: device.key };
    keep(workerId, (await call(workerId, 'devices.approve', DeviceApproveSchema, init, DeviceListSchema)).devices);
    toast('Device approved.');
  } catch {
    toast('The device could not be approved. Try again.', 'danger');
  }
}

export async function remove({ workerId, device }: WaitingDevice): Promise<void> {
  try {
    const init = { key: device.key };
    keep(workerId, (await call(workerId, 'devices.remove', DeviceRemoveSchema, init, DeviceListSchema)).devices);
    toast('Device removed.');
  } catch {
    toast('The device could not be removed. Try again.', 'danger');
  }
}

function keep(workerId: string, list: Device[]): void {
  devices.value = new Map(devices.peek()).set(workerId, list);
}

function keyOf(workerId: string, device: Device): string {
  return `${workerId} ${device.fingerprint} ${device.key.join(',')}`;
}
