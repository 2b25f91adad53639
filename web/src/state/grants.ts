/**
 * The owner's page makes the certificates that let others in. It renews by itself what a person decided
 * here before; for everything else it says what is due, and a person decides.
 */

import { signal } from '@preact/signals';
import type { GrantToSign } from '../channel/handle';
import { Role } from '../gen/leapmux/v1/channel_pb';
import { EncryptionMode } from '../gen/leapmux/v1/worker_pb';
import type { Worker } from '../gen/leapmux/v1/workers_pb';
import {
  ListGranteesRequestSchema, ListGranteesResponseSchema, PublishGrantsRequestSchema, PublishGrantsResponseSchema,
  type GranteeDevices,
} from '../gen/leapmux/v1/workspaces_pb';
import { rpc } from '../hub/rpc';
import { channels } from './channels';
import { nextGrant, type Mode } from './due';
import { onMissed, onNews } from './events';
import { isMine, workers } from './workers';

/** By Worker: everybody whom its workspaces name. */
export const grantees = signal<ReadonlyMap<string, GranteeDevices[]>>(new Map());
/** By Worker: those for whom only a person can decide. */
export const undecided = signal<ReadonlyMap<string, GranteeDevices[]>>(new Map());

const AGAIN_MS = 60 * 60_000;
const AT_ONCE = 64;

export function followGrants(): void {
  const all = () => (workers.peek() ?? []).filter(hosts).forEach((worker) => void tend(worker.workerId));
  onMissed(all);
  onNews((news) => {
    if (news.case === 'grantsWanted') void tend(news.value.workerId);
  });
  const stop = workers.subscribe((known) => {
    if (!known) return;
    queueMicrotask(() => stop());
    all();
  });
  setInterval(all, AGAIN_MS);
}

export function modeOf(worker: Worker): Mode | undefined {
  switch (worker.encryptionMode) {
    case EncryptionMode.CLASSIC: return 'classic';
    case EncryptionMode.POST_QUANTUM: return 'post-quantum';
    default: return undefined;
  }
}

/** What needs nobody is done; what needs somebody is noted. */
export function tend(workerId: string): Promise<void> {
  return inTurn(workerId, () => make(workerId, () => true, false));
}

/** A person has decided: for these, whatever is due. */
export function certify(workerId: string, whom: (one: GranteeDevices) => boolean): Promise<void> {
  return inTurn(workerId, () => make(workerId, whom, true));
}

function hosts(worker: Worker): boolean {
  return isMine(worker) && worker.workspaceIds.length > 0;
}

async function make(workerId: string, whom: (one: GranteeDevices) => boolean, acted: boolean): Promise<void> {
  const worker = workers.peek()?.find((one) => one.workerId === workerId);
  const mode = worker && isMine(worker) ? modeOf(worker) : undefined;
  if (!mode) return;
  const list = await read(workerId);
  const due = list.filter(whom).flatMap((one) => nextGrant(workerId, one, mode, Date.now()) ?? []);
  const signed = due.length === 0 ? [] : await channels().work('sign-grants', { mode, grants: due, acted });
  const made = signed.filter((one) => one !== undefined);
  for (let at = 0; at < made.length; at += AT_ONCE) await publish(workerId, made.slice(at, at + AT_ONCE));
  if (made.length > 0) await read(workerId);
  note(workerId, due.filter((_, at) => signed[at] === undefined), acted);
}

async function read(workerId: string): Promise<GranteeDevices[]> {
  const { grantees: list } = await rpc('WorkspaceService/ListGrantees', ListGranteesRequestSchema, { workerId }, ListGranteesResponseSchema);
  grantees.value = new Map(grantees.peek()).set(workerId, list);
  return list;
}

async function publish(workerId: string, signed: Uint8Array[]): Promise<void> {
  await rpc('WorkspaceService/PublishGrants', PublishGrantsRequestSchema, { workerId, signed }, PublishGrantsResponseSchema);
}

function note(workerId: string, left: GrantToSign[], acted: boolean): void {
  const list = grantees.peek().get(workerId) ?? [];
  const now = acted ? (undecided.peek().get(workerId) ?? []) : list.filter((one) => left.some((grant) => grant.workspaceId === one.workspaceId && grant.userId === one.userId));
  const mode = modeOf(workers.peek()?.find((one) => one.workerId === workerId) ?? ({} as Worker));
  const still = now.filter((one) => {
    const fresh = list.find((each) => each.workspaceId === one.workspaceId && each.userId === one.userId);
    return fresh !== undefined && fresh.role !== Role.UNSPECIFIED && mode !== undefined && nextGrant(workerId, fresh, mode, Date.now()) !== undefined;
  });
  undecided.value = new Map(undecided.peek()).set(workerId, still);
}

const turns = new Map<string, Promise<void>>();

/** One after the other for each Worker, and for each browser where it can be arranged: serials rise. */
function inTurn(workerId: string, run: () => Promise<void>): Promise<void> {
  const locked = () => (navigator.locks ? navigator.locks.request(`leapmux-grants ${workerId}`, run) : run()) as Promise<void>;
  const turn = (turns.get(workerId) ?? Promise.resolve()).catch(() => undefined).then(locked);
  turns.set(workerId, turn);
  // Whoever waits for a person's act hears of it; what was done for nobody in particular is done again.
  turn.catch(() => undefined);
  return turn;
}
