/** The Workers that the Hub lists, kept fresh by its events, and what their owners do with them. */

import { signal } from '@preact/signals';
import {
  DeregisterWorkerRequestSchema,
  DeregisterWorkerResponseSchema,
  ListWorkersRequestSchema,
  ListWorkersResponseSchema,
  RenameWorkerRequestSchema,
  RenameWorkerResponseSchema,
  TransferWorkerRequestSchema,
  TransferWorkerResponseSchema,
  type Worker,
} from '../gen/leapmux/v1/workers_pb';
import { rpc } from '../hub/rpc';
import { displayText } from '../ui/text';
import { account } from './account';
import { onMissed, onNews } from './events';

export const workers = signal<Worker[] | undefined>(undefined);

export function workerOf(workerId: string): Worker | undefined {
  return workers.value?.find((worker) => worker.workerId === workerId);
}

export function workerName(workerId: string): string {
  return displayText(workerOf(workerId)?.name ?? '', 60) || workerId;
}

/** News is the same for everybody and does not say whose; and what has no owner is the caller's. */
export function isMine(worker: Worker): boolean {
  const who = account.value;
  return worker.owned || worker.ownerUserId === '' || (who.state === 'signed-in' && worker.ownerUserId === who.userId);
}

/** Listed since the person leads its organisation; nothing of theirs is on it. */
export function isLookedAfter(worker: Worker): boolean {
  return !isMine(worker) && worker.workspaceIds.length === 0;
}

/** Reads the list and follows the news. */
export async function followWorkers(): Promise<void> {
  onMissed(() => void readWorkers());
  onNews((news) => {
    if (news.case === 'workerChanged' && news.value.worker) merge(news.value.worker);
    if (news.case === 'workerGone') drop(news.value.workerId);
  });
  await readWorkers();
}

export async function readWorkers(): Promise<void> {
  try {
    const list = await rpc('WorkerService/ListWorkers', ListWorkersRequestSchema, {}, ListWorkersResponseSchema);
    workers.value = list.workers;
  } catch {
    // A login that is over was heard by `rpc`; everything else comes with the next event.
  }
}

export async function renameWorker(workerId: string, name: string): Promise<void> {
  await rpc('WorkerService/RenameWorker', RenameWorkerRequestSchema, { workerId, name }, RenameWorkerResponseSchema);
  const worker = workerOf(workerId);
  if (worker) merge({ ...worker, name });
}

/** Resolves to whether the Worker was there and said that it goes. */
export async function deregisterWorker(workerId: string): Promise<boolean> {
  const { confirmed } = await rpc('WorkerService/DeregisterWorker', DeregisterWorkerRequestSchema, { workerId }, DeregisterWorkerResponseSchema);
  drop(workerId);
  return confirmed;
}

export async function transferWorker(workerId: string, userId: string): Promise<void> {
  await rpc('WorkerService/TransferWorker', TransferWorkerRequestSchema, { workerId, userId }, TransferWorkerResponseSchema);
  await readWorkers();
}

function merge(worker: Worker): void {
  const known = workers.value ?? [];
  const at = known.findIndex((other) => other.workerId === worker.workerId);
  workers.value = at < 0 ? [...known, worker] : known.with(at, worker);
}

function drop(workerId: string): void {
  workers.value = workers.value?.filter((worker) => worker.workerId !== workerId);
}
