/** The Workers that the Hub lists, kept fresh by its events. */

import { signal } from '@preact/signals';
import {
  ListWorkersRequestSchema,
  ListWorkersResponseSchema,
  type Worker,
} from '../gen/leapmux/v1/workers_pb';
import { listenToHub } from '../hub/events';
import { rpc } from '../hub/rpc';
import { ended, onSignedOut, recheck } from './account';
import { displayText } from '../ui/text';

export const workers = signal<Worker[] | undefined>(undefined);

export function workerName(workerId: string): string {
  const name = workers.value?.find((worker) => worker.workerId === workerId)?.name;
  return displayText(name ?? '', 60) || workerId;
}

/** Reads the list and follows the events. */
export async function followWorkers(): Promise<void> {
  await refresh();
  const stop = listenToHub({
    onResync: () => void refresh(),
    onRefused: () => void recheck(),
    onRevoked: ended,
    onEvent: (event) => {
      if (event.body.case === 'workerChanged' && event.body.value.worker) {
        merge(event.body.value.worker);
      }
    },
  });
  onSignedOut(stop);
}

async function refresh(): Promise<void> {
  try {
    const list = await rpc(
      'WorkerService/ListWorkers',
      ListWorkersRequestSchema,
      {},
      ListWorkersResponseSchema,
    );
    workers.value = list.workers;
  } catch {
    // A login that is over was heard by `rpc`; everything else comes with the next event.
  }
}

function merge(worker: Worker): void {
  const known = workers.value ?? [];
  const at = known.findIndex((other) => other.workerId === worker.workerId);
  workers.value = at < 0 ? [...known, worker] : known.with(at, worker);
}
