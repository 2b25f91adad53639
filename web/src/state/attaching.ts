/** A Worker of one's own in a workspace that others see. */

import { signal } from '@preact/signals';
import { Role } from '../gen/leapmux/v1/channel_pb';
import { tend } from './grants';
import { recall, remember } from './kept';
import { show } from './overlays';
import { listShares } from './sharing';
import { isMine, readWorkers, workerOf } from './workers';
import { attachWorker, workspaceHere, workspaceOf } from './workspaces';

const KEPT = 'leapmux.only-for-me';
const MOST_KEPT = 200;

/** By workspace and Worker: what a person keeps from the others there, in this browser. */
const onlyForMe = signal<ReadonlySet<string>>(new Set(readKept()));

/** The tabs of this Worker are no business of the workspace; what was attached since then is. */
export function isOnlyForMe(workspaceId: string, workerId: string): boolean {
  return onlyForMe.value.has(`${workspaceId} ${workerId}`) && !isAttached(workspaceId, workerId);
}

export function keepForMe(workspaceId: string, workerId: string): void {
  onlyForMe.value = new Set([...[...onlyForMe.peek()].slice(1 - MOST_KEPT), `${workspaceId} ${workerId}`]);
  remember(KEPT, JSON.stringify([...onlyForMe.peek()]));
}

/** Runs `then`, after asking where a person has to be asked. */
export async function besidesOthers(workerId: string, then: () => void): Promise<void> {
  const [workspace, worker] = [workspaceHere.peek(), workerOf(workerId)];
  if (!workspace || !worker || !isMine(worker)) return then();
  const { workspaceId } = workspace;
  if (isAttached(workspaceId, workerId) || isOnlyForMe(workspaceId, workerId)) return then();
  const shared = workspace.role !== Role.OWNER || (await listShares(workspaceId).catch(() => [])).length > 0;
  if (!shared) return then();
  show({ kind: 'attach', workspaceId, workerId, then });
}

function isAttached(workspaceId: string, workerId: string): boolean {
  return workspaceOf(workspaceId)?.workerIds.includes(workerId) ?? false;
}

function readKept(): string[] {
  try {
    const kept: unknown = JSON.parse(recall(KEPT) ?? '[]');
    return Array.isArray(kept) ? kept.filter((one) => typeof one === 'string').slice(-MOST_KEPT) : [];
  } catch {
    return [];
  }
}

/** Lets the people of a workspace route to it. Whom it lets in is for `certify`: their keys are known only now. */
export async function attach(workspaceId: string, workerId: string): Promise<void> {
  await attachWorker(workspaceId, workerId);
  await readWorkers();
  await tend(workerId);
}
