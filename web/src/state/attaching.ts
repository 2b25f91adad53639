/** A Worker of one's own in a workspace that others see. */

import { Role } from '../gen/leapmux/v1/channel_pb';
import { tend } from './grants';
import { show } from './overlays';
import { listShares } from './sharing';
import { isMine, readWorkers, workerOf } from './workers';
import { attachWorker, here, workspaceHere } from './workspaces';

/** Answered already in this page, by workspace and Worker. */
const answered = new Set<string>();

/** Runs `then`, after asking where a person has to be asked. */
export async function besidesOthers(workerId: string, then: () => void): Promise<void> {
  const [workspace, worker] = [workspaceHere.peek(), workerOf(workerId)];
  const name = `${here.peek()} ${workerId}`;
  if (!workspace || !worker || !isMine(worker) || workspace.workerIds.includes(workerId) || answered.has(name)) return then();
  const shared = workspace.role !== Role.OWNER || (await listShares(workspace.workspaceId).catch(() => [])).length > 0;
  if (!shared) return then();
  const { workspaceId } = workspace;
  show({ kind: 'attach', workspaceId, workerId, then: () => { answered.add(name); then(); } });
}

/** Lets the people of a workspace route to it. Whom it lets in is for `certify`: their keys are known only now. */
export async function attach(workspaceId: string, workerId: string): Promise<void> {
  await attachWorker(workspaceId, workerId);
  await readWorkers();
  await tend(workerId);
}
