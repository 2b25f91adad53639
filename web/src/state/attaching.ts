/** A Worker of one's own in a workspace that others see. */

import { Role } from '../gen/leapmux/v1/channel_pb';
import { certify } from './grants';
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

/** Attaching is the person's act for everybody with whom the workspace is shared now. */
export async function certifyAttached(workspaceId: string, workerId: string): Promise<void> {
  await attachWorker(workspaceId, workerId);
  await readWorkers();
  await certify(workerId, (one) => one.workspaceId === workspaceId);
}
