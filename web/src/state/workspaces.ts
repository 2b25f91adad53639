/** The workspaces that the Hub lists, those that the person has a role in, and the one that is shown. */

import { computed, signal } from '@preact/signals';
import { Role } from '../gen/leapmux/v1/channel_pb';
import type { Worker } from '../gen/leapmux/v1/workers_pb';
import {
  ArchiveWorkspaceRequestSchema, ArchiveWorkspaceResponseSchema,
  AttachWorkerRequestSchema, AttachWorkerResponseSchema,
  CreateWorkspaceRequestSchema, CreateWorkspaceResponseSchema,
  DeleteWorkspaceRequestSchema, DeleteWorkspaceResponseSchema,
  DetachWorkerRequestSchema, DetachWorkerResponseSchema,
  ListWorkspacesRequestSchema, ListWorkspacesResponseSchema,
  RenameWorkspaceRequestSchema, RenameWorkspaceResponseSchema,
  RestoreWorkspaceRequestSchema, RestoreWorkspaceResponseSchema,
  TransferWorkspaceRequestSchema, TransferWorkspaceResponseSchema,
  type Workspace,
} from '../gen/leapmux/v1/workspaces_pb';
import { rpc } from '../hub/rpc';
import { displayText } from '../ui/text';
import { onMissed, onNews } from './events';
import { recall, remember } from './kept';
import { isMine, workerOf, workers } from './workers';

/** Whoever leads an organisation is told of all its workspaces, and has no role in them by that. */
export const workspaces = signal<Workspace[] | undefined>(undefined);
export const myWorkspaces = computed(() => (workspaces.value ?? []).filter(hasRole));
/** The Hub has answered, one way or the other. */
export const workspacesAsked = signal(false);
/** Empty: a Hub that keeps none, or nobody knows yet. */
export const here = signal('');

export const workspaceHere = computed(() => workspaceOf(here.value));
/** Whoever may only look gets no buttons that the Worker would refuse. */
export const mayEdit = computed(() => here.value === '' || (workspaceHere.value?.role ?? Role.EDITOR) >= Role.EDITOR);
export const ownsHere = computed(() => here.value === '' || workspaceHere.value?.role === Role.OWNER);
/** The one in which a person who has just arrived finds a terminal. */
export const isFirst = computed(() => here.value === '' || here.value === firstOf(workspaces.value ?? [])?.workspaceId);
/** Workers that can be used in the workspace that is shown. */
export const workersHere = computed(() => workers.value?.filter(isHere));

const FIRST_TITLE = 'Main';
let user = '';

export function workspaceOf(workspaceId: string): Workspace | undefined {
  return workspaces.value?.find((one) => one.workspaceId === workspaceId);
}

export function titleOfWorkspace(one: Workspace | undefined): string {
  return displayText(one?.title ?? '', 60) || 'Workspace';
}

/** One's own wherever one may open something; any where it hosts. */
export function isHere(worker: Worker): boolean {
  return (isMine(worker) && mayEdit.value) || worker.workspaceIds.includes(here.value) || (workspaceHere.value?.workerIds.includes(worker.workerId) ?? false);
}

/** The Worker lets this person look and nothing more. */
export function isViewOnly(workerId: string): boolean {
  const worker = workerOf(workerId);
  return !mayEdit.value && worker !== undefined && !isMine(worker);
}

/** Shows at once what was shown last; then reads the list and follows the news. */
export async function followWorkspaces(userId: string): Promise<void> {
  user = userId;
  here.value = recall(`leapmux.workspace.${user}`) ?? '';
  onMissed(() => void readWorkspaces());
  onNews((news) => {
    if (news.case === 'workspaceChanged' && news.value.workspace) merge(news.value.workspace);
    if (news.case === 'workspaceGone') drop(news.value.workspaceId);
  });
  await readWorkspaces();
  if (workspaces.value && !firstOf(workspaces.value)) await createWorkspace(FIRST_TITLE, '').catch(() => undefined);
  workspacesAsked.value = true;
}

export async function readWorkspaces(): Promise<void> {
  try {
    const list = await rpc('WorkspaceService/ListWorkspaces', ListWorkspacesRequestSchema, {}, ListWorkspacesResponseSchema);
    workspaces.value = list.workspaces;
  } catch {
    // A Hub without workspaces, or one that cannot be reached: what is shown stays.
    return;
  }
  stayOrLeave();
}

export function choose(workspaceId: string): void {
  here.value = workspaceId;
  remember(`leapmux.workspace.${user}`, workspaceId);
}

export async function createWorkspace(title: string, organisationId: string): Promise<void> {
  const { workspace } = await rpc('WorkspaceService/CreateWorkspace', CreateWorkspaceRequestSchema, { title, organisationId }, CreateWorkspaceResponseSchema);
  if (!workspace) return;
  merge(workspace);
  choose(workspace.workspaceId);
}

export async function renameWorkspace(workspaceId: string, title: string): Promise<void> {
  await rpc('WorkspaceService/RenameWorkspace', RenameWorkspaceRequestSchema, { workspaceId, title }, RenameWorkspaceResponseSchema);
  await readWorkspaces();
}

export async function archiveWorkspace(workspaceId: string): Promise<void> {
  await rpc('WorkspaceService/ArchiveWorkspace', ArchiveWorkspaceRequestSchema, { workspaceId }, ArchiveWorkspaceResponseSchema);
  await readWorkspaces();
}

export async function restoreWorkspace(workspaceId: string): Promise<void> {
  await rpc('WorkspaceService/RestoreWorkspace', RestoreWorkspaceRequestSchema, { workspaceId }, RestoreWorkspaceResponseSchema);
  await readWorkspaces();
}

export async function deleteWorkspace(workspaceId: string): Promise<void> {
  await rpc('WorkspaceService/DeleteWorkspace', DeleteWorkspaceRequestSchema, { workspaceId }, DeleteWorkspaceResponseSchema);
  drop(workspaceId);
}

export async function transferWorkspace(workspaceId: string, userId: string): Promise<void> {
  await rpc('WorkspaceService/TransferWorkspace', TransferWorkspaceRequestSchema, { workspaceId, userId }, TransferWorkspaceResponseSchema);
  await readWorkspaces();
}

export async function attachWorker(workspaceId: string, workerId: string): Promise<void> {
  await rpc('WorkspaceService/AttachWorker', AttachWorkerRequestSchema, { workspaceId, workerId }, AttachWorkerResponseSchema);
  await readWorkspaces();
}

export async function detachWorker(workspaceId: string, workerId: string): Promise<void> {
  await rpc('WorkspaceService/DetachWorker', DetachWorkerRequestSchema, { workspaceId, workerId }, DetachWorkerResponseSchema);
  await readWorkspaces();
}

function merge(workspace: Workspace): void {
  const known = workspaces.value ?? [];
  const at = known.findIndex((other) => other.workspaceId === workspace.workspaceId);
  workspaces.value = at < 0 ? [...known, workspace] : known.with(at, workspace);
  stayOrLeave();
}

function drop(workspaceId: string): void {
  workspaces.value = workspaces.value?.filter((one) => one.workspaceId !== workspaceId);
  stayOrLeave();
}

function hasRole(one: Workspace): boolean {
  return one.role !== Role.UNSPECIFIED;
}

/** One that is gone or archived, or in which the person is nothing any more, is left for the first. */
function stayOrLeave(): void {
  const stays = workspaceHere.peek();
  if (stays && stays.archivedUnixMs === 0n && hasRole(stays)) return;
  choose(firstOf(workspaces.peek() ?? [])?.workspaceId ?? '');
}

/** The oldest of one's own, before others'. */
function firstOf(list: readonly Workspace[]): Workspace | undefined {
  const open = list.filter((one) => one.archivedUnixMs === 0n && hasRole(one)).toSorted((a, b) => Number(a.createdUnixMs - b.createdUnixMs));
  return open.find((one) => one.role === Role.OWNER) ?? open[0];
}
