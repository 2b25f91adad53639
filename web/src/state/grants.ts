/**
 * The owner's page makes the certificates that let others in. It renews by itself what a person decided
 * here before; for everything else it says what is due, and a person decides.
 */

import { signal } from '@preact/signals';
import type { GrantSigned, GrantToSign } from '../channel/handle';
import { Role } from '../gen/leapmux/v1/channel_pb';
import { EncryptionMode } from '../gen/leapmux/v1/worker_pb';
import type { Worker } from '../gen/leapmux/v1/workers_pb';
import {
  ListGranteesRequestSchema, ListGranteesResponseSchema, PublishGrantsRequestSchema, PublishGrantsResponseSchema,
  type GranteeDevices,
} from '../gen/leapmux/v1/workspaces_pb';
import { rpc } from '../hub/rpc';
import { channels } from './channels';
import { endOf, nextGrant, serialAfter, type Mode } from './due';
import { onMissed, onNews } from './events';
import { isMine, workers } from './workers';

/** By Worker: everybody whom its workspaces name. */
export const grantees = signal<ReadonlyMap<string, GranteeDevices[]>>(new Map());
/** By Worker: those for whom only a person can decide. */
export const undecided = signal<ReadonlyMap<string, GranteeDevices[]>>(new Map());

/** By Worker: what this browser signed last for whom. The Hub may list something else. */
const signedHere = signal<ReadonlyMap<string, readonly GrantSigned[]>>(new Map());

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
export async function tend(workerId: string): Promise<void> {
  await inTurn(workerId, () => make(workerId, undefined));
}

/** What a person decided just now: whether this very grant is what they meant. */
export type Decision = (grant: GrantToSign) => boolean;

/**
 * Signs what is due of what a person has decided, and nothing else: the list is asked for again, and the
 * Hub may give another role or key by now. Resolves to how many were signed.
 */
export function certify(workerId: string, decided: Decision): Promise<number> {
  return inTurn(workerId, () => make(workerId, decided));
}

/**
 * A person takes back, or gives less: certificates say so for everybody of these for whom this browser signed
 * more. The Hub is not asked who that is; one that goes on listing them gets nothing renewed by that.
 */
export function lower(workerId: string, of: (one: GrantSigned) => boolean, role: Role): Promise<number> {
  return inTurn(workerId, async () => {
    const worker = workers.peek()?.find((one) => one.workerId === workerId);
    const mode = worker && isMine(worker) ? modeOf(worker) : undefined;
    const known = await channels().work('signed-grants', { workerId });
    const now = Date.now();
    const grants = known.filter((one) => one.role > role && of(one)).map(({ workspaceId, userId, deviceKey }) => (
      { workerId, workspaceId, userId, deviceKey, role, serial: serialAfter(0n, now), expiresAt: endOf(now) }));
    if (!mode || grants.length === 0) return 0;
    const signed = (await channels().work('sign-grants', { mode, grants, acted: true })).filter((one) => one !== undefined);
    for (let at = 0; at < signed.length; at += AT_ONCE) await publish(workerId, signed.slice(at, at + AT_ONCE));
    await recall(workerId);
    return signed.length;
  });
}

/** The key that this browser certified last for somebody; undefined where another one did. */
export function keySignedHere(workerId: string, { workspaceId, userId }: GranteeDevices): Uint8Array | undefined {
  return signedHere.value.get(workerId)?.find((one) => one.workspaceId === workspaceId && one.userId === userId)?.deviceKey;
}

function hosts(worker: Worker): boolean {
  return isMine(worker) && worker.workspaceIds.length > 0;
}

async function make(workerId: string, decided: Decision | undefined): Promise<number> {
  const worker = workers.peek()?.find((one) => one.workerId === workerId);
  const mode = worker && isMine(worker) ? modeOf(worker) : undefined;
  if (!mode) return 0;
  const list = await read(workerId);
  const due = list.flatMap((one) => nextGrant(workerId, one, mode, Date.now()) ?? []).filter(decided ?? (() => true));
  const acted = decided !== undefined;
  const signed = due.length === 0 ? [] : await channels().work('sign-grants', { mode, grants: due, acted });
  const made = signed.filter((one) => one !== undefined);
  for (let at = 0; at < made.length; at += AT_ONCE) await publish(workerId, made.slice(at, at + AT_ONCE));
  if (made.length > 0) await read(workerId);
  await recall(workerId);
  note(workerId, due.filter((_, at) => signed[at] === undefined), acted);
  return made.length;
}

async function read(workerId: string): Promise<GranteeDevices[]> {
  const { grantees: list } = await rpc('WorkspaceService/ListGrantees', ListGranteesRequestSchema, { workerId }, ListGranteesResponseSchema);
  grantees.value = new Map(grantees.peek()).set(workerId, list);
  return list;
}

async function recall(workerId: string): Promise<void> {
  const list = await channels().work('signed-grants', { workerId }).catch(() => undefined);
  if (list) signedHere.value = new Map(signedHere.peek()).set(workerId, list);
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

const turns = new Map<string, Promise<unknown>>();

/** One after the other for each Worker, and for each browser where it can be arranged: serials rise. */
function inTurn(workerId: string, run: () => Promise<number>): Promise<number> {
  const locked = () => (navigator.locks ? navigator.locks.request(`leapmux-grants ${workerId}`, run) : run()) as Promise<number>;
  const turn = (turns.get(workerId) ?? Promise.resolve()).catch(() => undefined).then(locked);
  turns.set(workerId, turn);
  // Whoever waits for a person's act hears of it; what was done for nobody in particular is done again.
  turn.catch(() => undefined);
  return turn;
}
