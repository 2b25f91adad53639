/** The layout of the workspace that is shown: the same on every screen that shows it. */

import { effect, signal, untracked } from '@preact/signals';
import { SyncLayoutRequestSchema, SyncLayoutResponseSchema } from '../gen/leapmux/v1/workspaces_pb';
import { sentence } from '../hub/refusals';
import { RpcFailure, rpc } from '../hub/rpc';
import { privateOf, readTree, showingAsBefore, writeTree } from '../layout/document';
import { parseTree } from '../layout/stored';
import { LayoutSync, type Meaning, type SyncPort, type Trouble } from '../layout/sync';
import { allTabs, emptyTree, type Tree } from '../layout/tree';
import { onSignedOut } from './account';
import { isOnlyForMe } from './attaching';
import { onMissed, onNews } from './events';
import { recall, recallBytes, remember, rememberBytes } from './kept';
import { tabParts, tree, type TabId } from './layout';
import { toast } from './toasts';
import { here, mayEdit, workspaceHere } from './workspaces';

/** The Hub has said what it knows of this layout, or there is no Hub that would. */
export const layoutKnown = signal(false);

/** How the Hub begins to say that a log takes no more. */
const FULL = "the layout's log";

let sync: LayoutSync | undefined;
/** What comes from elsewhere is not written down as if it had been done here. */
let hearing = false;

export function followLayout(userId: string): void {
  let shown: string | undefined;
  effect(() => {
    const workspaceId = here.value;
    untracked(() => {
      open(userId, workspaceId, shown === '');
      shown = workspaceId;
    });
  });
  effect(() => {
    const now = tree.value;
    untracked(() => {
      remember(treeKey(userId, here.value), JSON.stringify(now));
      if (!hearing) write();
    });
  });
  effect(() => {
    // What was only for me is for everybody once its Worker is attached; after the other effects.
    void workspaceHere.value?.workerIds;
    queueMicrotask(() => write());
  });
  onMissed(() => sync?.pull());
  onNews((news) => {
    if (news.case === 'layoutChanged' && news.value.workspaceId === here.peek()) sync?.pull();
  });
  addEventListener('pagehide', () => sync?.flush());
  onSignedOut(() => sync?.close());
}

/** `moves`: what is shown came from a page that knew no workspaces, and moves into the first. */
function open(userId: string, workspaceId: string, moves: boolean): void {
  sync?.close();
  sync = undefined;
  layoutKnown.value = workspaceId === '';
  const stored = parseTree(recall(treeKey(userId, workspaceId)) ?? null);
  if (workspaceId === '') return hear(() => { tree.value = stored ?? tree.peek(); });
  const documentKey = `leapmux.document.${userId}.${workspaceId}`;
  const kept = recallBytes(documentKey);
  const made = new LayoutSync(port(workspaceId, documentKey), kept);
  sync = made;
  const before = stored ?? (moves ? tree.peek() : emptyTree('root'));
  const read = readAfter(made.doc, before);
  hear(() => { tree.value = kept && allTabs(read).length > 0 ? read : before; });
  if (kept) layoutKnown.value = true;
  made.pull();
}

function port(workspaceId: string, documentKey: string): SyncPort {
  return {
    exchange: ({ after, update, replaces }) =>
      rpc('WorkspaceService/SyncLayout', SyncLayoutRequestSchema, { workspaceId, after, update, replaces }, SyncLayoutResponseSchema),
    meaning,
    mayEdit: () => mayEdit.peek(),
    after: (milliseconds, run) => {
      const timer = setTimeout(run, milliseconds);
      return () => clearTimeout(timer);
    },
    now: () => performance.now(),
    random: () => Math.random(),
    changed: () => take(),
    keep: (state) => rememberBytes(documentKey, state),
    settled: () => settled(),
    tell: (trouble, error) => toast(words(trouble, error), 'danger'),
  };
}

function meaning(error: unknown): Meaning {
  const { code, said } = error instanceof RpcFailure ? error : { code: '', said: '' };
  if (code === 'aborted') return 'overtaken';
  if (code === 'failed_precondition') return said.startsWith(FULL) ? 'full' : 'asking';
  if (code === 'permission_denied' || code === 'invalid_argument') return 'asking';
  return ['not_found', 'unimplemented', 'unauthenticated'].includes(code) ? 'never' : 'again';
}

function words(trouble: Trouble, error: unknown): string {
  if (trouble === 'refused') return `Your changes to this layout stay in this browser. ${sentence(error)}`;
  if (trouble === 'large') return 'This layout has become too large to be kept at the Hub. Begin a new workspace.';
  return 'A change that somebody made to this layout cannot be read and is left out.';
}

/** The first answer: what stands there wins; where nothing does, what is here begins it. */
function settled(): void {
  if (layoutKnown.peek()) return;
  layoutKnown.value = true;
  if (sync && allTabs(readTree(sync.doc)).length === 0) write();
}

function take(): void {
  const doc = sync?.doc;
  if (doc) hear(() => { tree.value = readAfter(doc, tree.peek()); });
}

/** What stands there now, and among it what is only for me, as it stood before. */
function readAfter(doc: LayoutSync['doc'], before: Tree): Tree {
  return showingAsBefore(readTree(doc, privateOf(doc, before, isPrivate)), before);
}

function write(): void {
  if (sync && layoutKnown.peek() && mayEdit.peek()) writeTree(sync.doc, tree.peek(), 'here', isPrivate);
}

function isPrivate(tab: TabId): boolean {
  return isOnlyForMe(here.peek(), tabParts(tab).workerId);
}

function hear(change: () => void): void {
  hearing = true;
  try {
    change();
  } finally {
    hearing = false;
  }
}

function treeKey(userId: string, workspaceId: string): string {
  return workspaceId === '' ? `leapmux.layout.${userId}` : `leapmux.layout.${userId}.${workspaceId}`;
}
