import { create, toBinary } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { ChannelStatus, ChannelThread, StreamCallbacks } from '../../src/channel/handle';
import { Role } from '../../src/gen/leapmux/v1/channel_pb';
import { TerminalListSchema, TerminalSummarySchema } from '../../src/gen/leapmux/v1/services_pb';
import { WorkerSchema } from '../../src/gen/leapmux/v1/workers_pb';
import { WorkspaceSchema } from '../../src/gen/leapmux/v1/workspaces_pb';
import { allTabs, emptyTree, type Tree } from '../../src/layout/tree';
import { account } from '../../src/state/account';
import { channels, useThread } from '../../src/state/channels';
import { MOST_DRAWN, currentTab, drawn, moveTab, stepTab, tree } from '../../src/state/layout';
import { layoutKnown } from '../../src/state/documents';
import { bells, followTerminals, showIn, sorted } from '../../src/state/terminals';
import { workers } from '../../src/state/workers';
import { here, workspaces } from '../../src/state/workspaces';

vi.hoisted(() => Object.assign(globalThis, {
  matchMedia: () => ({ matches: false, addEventListener: () => undefined }),
  addEventListener: () => undefined,
}));

const streams = new Map<string, StreamCallbacks>();
let say: (status: ChannelStatus) => void = () => undefined;
useThread(() => ({
  stream: (worker: string, _method: string, _payload: Uint8Array, callbacks: StreamCallbacks, workspace: string) => {
    streams.set(`${worker} ${workspace}`, callbacks);
    return { send: () => undefined, end: () => undefined, cancel: () => undefined };
  },
  onStatus: (listener: (status: ChannelStatus) => void) => { say = listener; return () => undefined; },
}) as unknown as ChannelThread);
channels();

let next = 0;
/** A workspace of its own in which a Worker of mine and one of somebody else stand. */
function enter(role: Role): void {
  const workspaceId = `ws${next++}`;
  workspaces.value = [create(WorkspaceSchema, { workspaceId, role, workerIds: ['theirs'] })];
  here.value = workspaceId;
}
const lists = (worker: string, ...terminals: string[]) =>
  void streams.get(`${worker} ${here.value}`)!.onData(toBinary(TerminalListSchema, create(TerminalListSchema, { terminals: terminals.map((terminalId) => ({ terminalId })) })));
const leaf = (...tabs: string[]): Tree => ({ ...emptyTree('root'), tabs, active: tabs[0] ?? null });

account.value = { state: 'signed-in', userId: 'me', username: 'me', solo: false, version: '' };
followTerminals();
['mine', 'theirs'].forEach((workerId) => say({ workerId, state: 'ready' }));

beforeEach(() => {
  workers.value = [create(WorkerSchema, { workerId: 'mine', ownerUserId: 'me' }), create(WorkerSchema, { workerId: 'theirs', ownerUserId: 'other' })];
});

describe('tabs', () => {
  it.each([['owner', Role.OWNER], ['editor', Role.EDITOR]])('of a Worker that this %s cannot see are not drawn, and stay in the layout', (_who, role) => {
    enter(role);
    tree.value = leaf('hidden/1', 'theirs/1', 'hidden/2');
    expect(allTabs(drawn.value)).toEqual(['theirs/1']);
    expect(allTabs(tree.value)).toEqual(['hidden/1', 'theirs/1', 'hidden/2']);
    workers.value = [...workers.value!, create(WorkerSchema, { workerId: 'hidden' })];
    expect(allTabs(drawn.value)).toHaveLength(3);
  });

  it('of terminals that somebody else’s Worker does not show stay in the layout and are drawn when it does', () => {
    enter(Role.EDITOR);
    tree.value = leaf('theirs/1', 'theirs/2', 'theirs/3');
    lists('theirs', '1', '2');
    expect(allTabs(drawn.value)).toEqual(['theirs/1', 'theirs/2']);
    lists('theirs', '1');
    expect(allTabs(drawn.value)).toEqual(['theirs/1']);
    expect(allTabs(tree.value)).toHaveLength(3);
    lists('theirs', '1', '3');
    expect(allTabs(drawn.value)).toEqual(['theirs/1', 'theirs/3']);
  });

  it('of terminals that a Worker of one’s own has no more leave the layout, and no others', () => {
    enter(Role.OWNER);
    tree.value = leaf('mine/1', 'theirs/1', 'mine/2');
    lists('mine', '1');
    expect(allTabs(tree.value)).toEqual(['mine/1', 'theirs/1']);
    lists('mine');
    expect(allTabs(tree.value)).toEqual(['theirs/1']);
  });

  it('are moved and stepped through as they are drawn, whatever stands between them', () => {
    enter(Role.EDITOR);
    tree.value = leaf('theirs/1', 'hidden/1', 'theirs/2', 'hidden/2', 'theirs/3');
    moveTab('theirs/3', 'root', 1);
    expect(allTabs(drawn.value)).toEqual(['theirs/1', 'theirs/3', 'theirs/2']);
    expect(allTabs(tree.value)).toHaveLength(5);
    expect(currentTab.value).toBe('theirs/3');
    stepTab(1);
    expect(currentTab.value).toBe('theirs/2');
  });

  it('that nobody has looked at yet ring by the Worker’s list', () => {
    enter(Role.OWNER);
    vi.stubGlobal('document', { visibilityState: 'visible', hasFocus: () => true });
    tree.value = { ...leaf('mine/1', 'mine/2'), active: 'mine/1' } as Tree;
    const list = (...bells: boolean[]) => void streams.get(`mine ${here.value}`)!.onData(toBinary(TerminalListSchema, create(TerminalListSchema, { terminals: bells.map((bell, at) => ({ terminalId: `${at + 1}`, bell })) })));
    list(true, true);
    expect(bells.value.size).toBe(0);
    list(false, false);
    list(true, true);
    expect([...bells.value]).toEqual(['mine/2']);
  });

  it('of other workspaces are listed by theirs, and those of none or of one that is gone here', () => {
    enter(Role.OWNER);
    const hereNow = here.value;
    workspaces.value = [...workspaces.value!, create(WorkspaceSchema, { workspaceId: 'other', role: Role.OWNER })];
    const of = (terminalId: string, workspaceId: string) => create(TerminalSummarySchema, { terminalId, workspaceId });
    const { own, elsewhere } = sorted([of('1', ''), of('2', 'other'), of('3', hereNow), of('4', 'gone'), of('5', 'other')]);
    expect(own.map(({ terminalId }) => terminalId)).toEqual(['1', '3', '4']);
    expect([...elsewhere].map(([workspace, list]) => [workspace, list.map(({ terminalId }) => terminalId)])).toEqual([['other', ['2', '5']]]);
    layoutKnown.value = false;
    showIn('other', 'mine/2');
    expect(here.value).toBe('other');
    tree.value = leaf('mine/9');
    layoutKnown.value = true;
    expect(currentTab.value).toBe('mine/2');
  });

  it('are drawn up to a number, however many the layout lists', () => {
    enter(Role.EDITOR);
    tree.value = leaf(...Array.from({ length: 400 }, (_, at) => `theirs/${at}`));
    expect(allTabs(drawn.value)).toHaveLength(MOST_DRAWN);
    expect(allTabs(tree.value)).toHaveLength(400);
  });
});
