import { create, toJson } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Role } from '../../src/gen/leapmux/v1/channel_pb';
import { PresenceChangedSchema } from '../../src/gen/leapmux/v1/events_pb';
import { WorkerSchema } from '../../src/gen/leapmux/v1/workers_pb';
import { ListWorkspacesResponseSchema, WorkspaceSchema } from '../../src/gen/leapmux/v1/workspaces_pb';
import { account } from '../../src/state/account';
import { tell } from '../../src/state/events';
import { hear, lookingAt, others, people } from '../../src/state/presence';
import { workers } from '../../src/state/workers';
import { choose, followWorkspaces, here, isFirst, isHere, isViewOnly, mayEdit, myWorkspaces, workspaces } from '../../src/state/workspaces';

vi.hoisted(() => Object.assign(globalThis, { matchMedia: () => ({ matches: false, addEventListener: () => undefined }) }));

const workspace = (workspaceId: string, role: Role, created: number, archived = 0) =>
  create(WorkspaceSchema, { workspaceId, title: workspaceId, role, createdUnixMs: BigInt(created), archivedUnixMs: BigInt(archived), workerIds: ['theirs'] });
let list: ReturnType<typeof workspace>[];
const asked: string[] = [];
const stored = new Map<string, string>();

vi.stubGlobal('localStorage', { getItem: (key: string) => stored.get(key) ?? null, setItem: (key: string, text: string) => stored.set(key, text) });

beforeEach(() => {
  stored.clear();
  asked.length = 0;
  account.value = { state: 'signed-in', userId: 'me', username: 'me', solo: false, version: '' };
  workers.value = [create(WorkerSchema, { workerId: 'mine', ownerUserId: 'me' }), create(WorkerSchema, { workerId: 'theirs', ownerUserId: 'other' })];
  list = [workspace('shared', Role.VIEWER, 1), workspace('second', Role.OWNER, 9), workspace('first', Role.OWNER, 5), workspace('old', Role.OWNER, 2, 3)];
  vi.stubGlobal('fetch', async (path: string) => {
    asked.push(path.slice(path.lastIndexOf('/') + 1));
    const made = { workspace: toJson(WorkspaceSchema, workspace('made', Role.OWNER, 20)) };
    return new Response(JSON.stringify(path.endsWith('ListWorkspaces') ? toJson(ListWorkspacesResponseSchema, create(ListWorkspacesResponseSchema, { workspaces: list })) : made));
  });
});

describe('the workspace that is shown', () => {
  it('is the oldest of one’s own at first, and the last one shown after that', async () => {
    await followWorkspaces('me');
    expect(here.value).toBe('first');
    choose('second');
    await followWorkspaces('me');
    expect(here.value).toBe('second');
    expect(isFirst.value).toBe(false);
  });

  it('is left for the first when it is archived, deleted or withdrawn', async () => {
    await followWorkspaces('me');
    choose('shared');
    tell({ case: 'workspaceGone', value: { $typeName: 'leapmux.v1.WorkspaceGone', workspaceId: 'shared' } });
    expect(here.value).toBe('first');
    choose('second');
    tell({ case: 'workspaceChanged', value: { $typeName: 'leapmux.v1.WorkspaceChanged', workspace: workspace('second', Role.OWNER, 9, 10) } });
    expect(here.value).toBe('first');
    expect(workspaces.value).toHaveLength(3);
  });

  it('is never one that somebody only keeps in order for an organisation', async () => {
    list = [workspace('of-others', Role.UNSPECIFIED, 1), workspace('shared', Role.VIEWER, 3)];
    await followWorkspaces('me');
    expect(here.value).toBe('shared');
    expect(myWorkspaces.value.map(({ workspaceId }) => workspaceId)).toEqual(['shared']);
    expect(workspaces.value).toHaveLength(2);
    tell({ case: 'workspaceChanged', value: { $typeName: 'leapmux.v1.WorkspaceChanged', workspace: workspace('shared', Role.UNSPECIFIED, 3) } });
    expect(here.value).toBe('');
    list = [workspace('of-others', Role.UNSPECIFIED, 1)];
    await followWorkspaces('me');
    expect(here.value).toBe('made');
  });

  it('is made where somebody has none', async () => {
    list = [];
    await followWorkspaces('me');
    expect(asked).toContain('CreateWorkspace');
    expect(here.value).toBe('made');
  });

  it('shows a viewer only what hosts it, to look at', async () => {
    await followWorkspaces('me');
    choose('shared');
    expect(mayEdit.value).toBe(false);
    expect(workers.value!.filter(isHere).map(({ workerId }) => workerId)).toEqual(['theirs']);
    expect(isViewOnly('theirs')).toBe(true);
    tell({ case: 'workspaceChanged', value: { $typeName: 'leapmux.v1.WorkspaceChanged', workspace: workspace('shared', Role.EDITOR, 1) } });
    expect(isViewOnly('theirs')).toBe(false);
    expect(workers.value!.filter(isHere)).toHaveLength(2);
  });
});

describe('presence', () => {
  const said = (clientId: string, userId: string, focus: string, left = false) =>
    create(PresenceChangedSchema, { workspaceId: here.value, clientId, userId, username: userId, focus, left });

  it('counts a person once, each of their screens where it looks, and forgets who leaves', async () => {
    await followWorkspaces('me');
    hear(said('c1', 'mary', 't1'));
    hear(said('c2', 'mary', 't2'));
    hear(said('c3', 'ann', 't2'));
    expect(people.value.map(({ userId }) => userId)).toEqual(['mary', 'ann']);
    expect(lookingAt('w/t2').map(({ clientId }) => clientId)).toEqual(['c2', 'c3']);
    hear(said('c2', 'mary', 't1'));
    hear(said('c3', 'ann', '', true));
    expect(lookingAt('w/t2')).toEqual([]);
    expect(others.value).toHaveLength(2);
    hear(create(PresenceChangedSchema, { ...said('c9', 'eve', ''), workspaceId: 'another' }));
    expect(others.value).toHaveLength(2);
  });
});
