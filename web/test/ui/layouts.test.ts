import { create, fromJson, toJson } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as Y from 'yjs';
import { Role } from '../../src/gen/leapmux/v1/channel_pb';
import { SyncLayoutRequestSchema, SyncLayoutResponseSchema, WorkspaceSchema } from '../../src/gen/leapmux/v1/workspaces_pb';
import { readTree, writeTree } from '../../src/layout/document';
import { addTab, allTabs, emptyTree, leaves, splitLeaf } from '../../src/layout/tree';
import { keepForMe } from '../../src/state/attaching';
import { followLayout, layoutKnown } from '../../src/state/documents';
import { tell } from '../../src/state/events';
import { addTabTo, split, tree } from '../../src/state/layout';
import { toasts } from '../../src/state/toasts';
import { here, workspaces } from '../../src/state/workspaces';

vi.hoisted(() => Object.assign(globalThis, {
  matchMedia: () => ({ matches: false, addEventListener: () => undefined }),
  addEventListener: () => undefined,
}));

/** What the Hub keeps, by workspace: here a log that never becomes long. */
const kept = new Map<string, Uint8Array[]>();
const NONSENSE = new Uint8Array([1, 2, 3]);
const pushed: string[] = [];
let refusal: { code: string; message: string } | undefined;
const stored = new Map<string, string>();
const logOf = (id: string) => kept.get(id) ?? kept.set(id, []).get(id)!;
const docOf = (id: string) => {
  const doc = new Y.Doc();
  logOf(id).filter((update) => update !== NONSENSE).forEach((update) => Y.applyUpdate(doc, update));
  return doc;
};
const say = (id: string, doc: Y.Doc) => logOf(id).push(Y.encodeStateAsUpdate(doc));
const role = (workspaceId: string, of: Role) => create(WorkspaceSchema, { workspaceId, role: of });

vi.stubGlobal('localStorage', { getItem: (key: string) => stored.get(key) ?? null, setItem: (key: string, text: string) => stored.set(key, text) });
vi.stubGlobal('fetch', async (_path: string, { body }: { body: string }) => {
  const { workspaceId, after, update, replaces } = fromJson(SyncLayoutRequestSchema, JSON.parse(body) as never);
  expect(replaces).toBeUndefined();
  const log = logOf(workspaceId);
  if (refusal && update.length > 0) return new Response(JSON.stringify(refusal), { status: 400 });
  if (update.length > 0) {
    pushed.push(workspaceId);
    log.push(update);
  }
  const answer = create(SyncLayoutResponseSchema, { updates: log.slice(Number(after)), sequence: BigInt(log.length) });
  return new Response(JSON.stringify(toJson(SyncLayoutResponseSchema, answer)));
});

vi.useFakeTimers();
tree.value = addTab(emptyTree('root'), 'root', 'w/old');
followLayout('me');

const settle = () => vi.advanceTimersByTimeAsync(2_000);
beforeEach(() => {
  workspaces.value = [role('one', Role.OWNER), role('two', Role.OWNER), role('theirs', Role.VIEWER)];
});
afterEach(() => { pushed.length = 0; });

describe('the layout', () => {
  it('of a page that knew no workspaces moves into the first one', async () => {
    here.value = 'one';
    await settle();
    expect(layoutKnown.value).toBe(true);
    expect(allTabs(tree.value)).toEqual(['w/old']);
    expect(allTabs(readTree(docOf('one')))).toEqual(['w/old']);
  });

  it('is pushed when it is edited, and taken over when it was edited elsewhere', async () => {
    addTabTo('root', 'w/new');
    await settle();
    expect(allTabs(readTree(docOf('one')))).toEqual(['w/old', 'w/new']);
    const elsewhere = new Y.Doc();
    Y.applyUpdate(elsewhere, Y.encodeStateAsUpdate(docOf('one')));
    writeTree(elsewhere, splitLeaf(readTree(elsewhere), 'root', 'right', { leaf: 'east', split: 's' }, 'w/old'));
    say('one', elsewhere);
    pushed.length = 0;
    tell({ case: 'layoutChanged', value: { $typeName: 'leapmux.v1.LayoutChanged', workspaceId: 'one' } });
    await settle();
    expect(leaves(tree.value).map(({ tabs }) => tabs)).toEqual([['w/new'], ['w/old']]);
    expect(pushed).toEqual([]);
  });

  it('of each workspace is its own, and is there again on the way back', async () => {
    here.value = 'two';
    await settle();
    expect(allTabs(tree.value)).toEqual([]);
    addTabTo('root', 'w/two');
    await settle();
    here.value = 'one';
    expect(allTabs(tree.value)).toEqual(['w/new', 'w/old']);
    await settle();
    expect(allTabs(readTree(docOf('two')))).toEqual(['w/two']);
    expect(allTabs(tree.value)).not.toContain('w/two');
  });

  it('of somebody else’s workspace is shown to a viewer and never pushed', async () => {
    const elsewhere = new Y.Doc();
    writeTree(elsewhere, addTab(emptyTree('root'), 'root', 'w/theirs'));
    say('theirs', elsewhere);
    here.value = 'theirs';
    await settle();
    expect(allTabs(tree.value)).toEqual(['w/theirs']);
    split('root', 'right', null);
    addTabTo('root', 'w/mine');
    await settle();
    expect(pushed).toEqual([]);
    expect(allTabs(readTree(docOf('theirs')))).toEqual(['w/theirs']);
  });

  it('keeps to itself what a person wants only for themselves, where it stands, until its Worker is attached', async () => {
    here.value = 'one';
    await settle();
    keepForMe('one', 'mine');
    split('root', 'right', null);
    addTabTo(leaves(tree.value).find(({ tabs }) => tabs.length === 0)!.id, 'mine/secret');
    addTabTo('root', 'w/told');
    await settle();
    expect(logOf('one').map((update) => new TextDecoder().decode(update)).join()).not.toContain('secret');
    expect(allTabs(readTree(docOf('one')))).toEqual(expect.arrayContaining(['w/new', 'w/told', 'w/old']));
    const elsewhere = new Y.Doc();
    Y.applyUpdate(elsewhere, Y.encodeStateAsUpdate(docOf('one')));
    elsewhere.getMap('tabs').set('w/theirs', { tile: 'root', at: 99 });
    say('one', elsewhere);
    tell({ case: 'layoutChanged', value: { $typeName: 'leapmux.v1.LayoutChanged', workspaceId: 'one' } });
    await settle();
    expect(leaves(tree.value).map(({ tabs }) => tabs)).toContainEqual(['mine/secret']);
    expect(allTabs(tree.value)).toContain('w/theirs');
    here.value = 'two';
    await settle();
    here.value = 'one';
    await settle();
    expect(allTabs(tree.value)).toContain('mine/secret');
    workspaces.value = workspaces.value!.map((one) => (one.workspaceId === 'one' ? { ...one, workerIds: ['mine'] } : one));
    await settle();
    expect(allTabs(readTree(docOf('one')))).toContain('mine/secret');
  });

  it('that the Hub refuses to keep, or cannot be read, is told to the person', async () => {
    here.value = 'two';
    await settle();
    logOf('two').push(NONSENSE);
    refusal = { code: 'invalid_argument', message: 'update is longer than 64 KiB' };
    addTabTo('root', 'w/refused');
    tell({ case: 'layoutChanged', value: { $typeName: 'leapmux.v1.LayoutChanged', workspaceId: 'two' } });
    await vi.advanceTimersByTimeAsync(2_500);
    expect(toasts.value.map(({ text }) => text)).toEqual([
      'Your changes to this layout stay in this browser. Update is longer than 64 KiB.',
      'A change that somebody made to this layout cannot be read and is left out.',
    ]);
    refusal = undefined;
    here.value = 'one';
    here.value = 'two';
    await settle();
    expect(allTabs(readTree(docOf('two')))).toContain('w/refused');
  });
});
