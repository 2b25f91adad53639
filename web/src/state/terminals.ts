/** The terminals of each Worker, as the Worker tells them inside the channel. */

import { computed, effect, signal, untracked } from '@preact/signals';
import {
  TerminalCloseSchema,
  TerminalClosedSchema,
  TerminalListRequestSchema,
  TerminalListSchema,
  TerminalOpenSchema,
  TerminalRenameSchema,
  TerminalState,
  TerminalSummarySchema,
  type TerminalSummary,
} from '../gen/leapmux/v1/services_pb';
import { displayText } from '../ui/text';
import { call, isReady, onReady, statuses, unwatch, watch } from './channels';
import { besidesOthers } from './attaching';
import { layoutKnown } from './documents';
import {
  MOST_DRAWN, addTabTo, currentTile, drawn, drawOnly, dropTab, pruneTabs, showTab, split, swapTab, tabId, tabParts, tree, visibleTabs, type TabId,
} from './layout';
import { allTabs, leafById, type Side } from '../layout/tree';
import { toast } from './toasts';
import { isMine, workerOf, workers } from './workers';
import { choose, here, isFirst, mayEdit, myWorkspaces, workspacesAsked } from './workspaces';

export const terminals = signal<ReadonlyMap<string, TerminalSummary[]>>(new Map());
/** Tabs whose bell rang while nobody looked. */
export const bells = signal<ReadonlySet<TabId>>(new Set());
/** Tabs whose terminal the Worker no longer has after a reconnection, with their last title. */
export const gone = signal<ReadonlyMap<TabId, string>>(new Map());
/** Tabs whose terminal the Worker of somebody else does not show to this person, or not any more. */
const unseen = signal<ReadonlySet<TabId>>(new Set());
/** Workers for which a terminal is being opened right now. */
export const opening = signal<ReadonlySet<string>>(new Set());

export const bellCount = computed(() => bells.value.size);

/** A size for terminals that have no tile yet; the tile corrects it at once. */
const FIRST_SIZE = { columns: 80, rows: 24 };
const MAX_OPENED_AT_START = 8;

export function summaryOf(tab: TabId): TerminalSummary | undefined {
  const { workerId, terminalId } = tabParts(tab);
  return terminals.value.get(workerId)?.find((one) => one.terminalId === terminalId);
}

/** The title with a number behind it where several terminals of a Worker share it. */
export function titleOf(tab: TabId): string {
  const title = plainTitleOf(tab);
  const { workerId, terminalId } = tabParts(tab);
  const same = (terminals.value.get(workerId) ?? []).filter(
    (one) => plainTitleOf(tabId(workerId, one.terminalId)) === title,
  );
  const at = same.findIndex((one) => one.terminalId === terminalId);
  return at > 0 ? `${title} ${at + 1}` : title;
}

export function plainTitleOf(tab: TabId): string {
  return displayText(summaryOf(tab)?.title ?? gone.value.get(tab) ?? '', 80) || 'Terminal';
}

/**
 * Somebody else may see more Workers than this person does, and at a Worker more terminals: their tabs are
 * not drawn here, and stay in the layout.
 */
const knownWorkers = computed(() => workers.value && new Set(workers.value.map(({ workerId }) => workerId)));
const isSeen = (tab: TabId): boolean => knownWorkers.value?.has(tabParts(tab).workerId) !== false && !unseen.value.has(tab);

/**
 * A Worker's owner sees all that it has: what was opened in the workspace that is shown, or in none that
 * can be, and what belongs to others, by workspace.
 */
export function sorted(list: readonly TerminalSummary[]): { own: TerminalSummary[]; elsewhere: Map<string, TerminalSummary[]> } {
  const others = new Set(myWorkspaces.value.filter((one) => one.archivedUnixMs === 0n).map(({ workspaceId }) => workspaceId));
  others.delete(here.value);
  const elsewhere = new Map<string, TerminalSummary[]>();
  for (const one of list) {
    if (others.has(one.workspaceId)) elsewhere.set(one.workspaceId, [...(elsewhere.get(one.workspaceId) ?? []), one]);
  }
  return { own: list.filter((one) => !others.has(one.workspaceId)), elsewhere };
}

/** Shows a terminal in the workspace to which it belongs, once its layout is known. */
export function showIn(workspaceId: string, tab: TabId): void {
  choose(workspaceId);
  const stop = effect(() => {
    if (!layoutKnown.value && here.value === workspaceId) return;
    queueMicrotask(() => stop());
    untracked(() => here.peek() === workspaceId && showTab(tab));
  });
}

/** Follows the list of each Worker whose channel becomes ready, in the workspace that is shown. */
export function followTerminals(): void {
  drawOnly(isSeen);
  const known = new Set<string>();
  const follow = (workerId: string) => {
    const name = `${workerId} ${here.peek()}`;
    let since: Since = known.has(name) ? 'reconnection' : 'page';
    watch(workerId, 'terminal.watch', TerminalListRequestSchema, TerminalListSchema, (list) => {
      reconcile(workerId, list.terminals, since);
      known.add(name);
      since = 'list';
    });
  };
  onReady(follow);
  let shown = here.peek();
  effect(() => {
    if (here.value === shown) return;
    unwatch('terminal.watch', shown);
    shown = here.value;
    untracked(() => {
      terminals.value = new Map();
      unseen.value = new Set();
      [...statuses.peek().keys()].filter(isReady).forEach(follow);
    });
  });
}

/** What a list comes after: the opening of the page, a lost connection, or an earlier list. */
type Since = 'page' | 'reconnection' | 'list';

/**
 * The tabs of terminals that somebody closed go, but not those that were lost while there was no
 * connection, nor one that the layout has told of before its list did; at the first list, gives a
 * person something to type in. A Worker shows all that it has only to its owner, so only they take
 * tabs out of the layout; anybody else just does not draw them.
 */
function reconcile(workerId: string, list: TerminalSummary[], since: Since): void {
  const alive = new Set(list.map((one) => tabId(workerId, one.terminalId)));
  const before = new Map((terminals.peek().get(workerId) ?? []).map((one) => [tabId(workerId, one.terminalId), one]));
  const missing = allTabs(tree.value).filter((tab) => tabParts(tab).workerId === workerId && !alive.has(tab));
  if (since === 'reconnection') {
    gone.value = new Map([...gone.value, ...missing.map((tab) => [tab, plainTitleOf(tab)] as const)]);
  }
  terminals.value = new Map(terminals.peek()).set(workerId, list);
  const missed = since === 'list' ? missing.filter((tab) => before.has(tab)) : since === 'page' ? missing : [];
  const closed = new Set(missed.filter((tab) => !gone.peek().has(tab)));
  if (!isMyWorker(workerId)) unseen.value = new Set([...[...unseen.peek()].filter((tab) => !alive.has(tab)), ...closed]);
  else if (since === 'list' || mayEdit.peek()) pruneTabs((tab) => !closed.has(tab));
  // Of what has a screen on this page, that one hears it too.
  const rang = list.filter((one) => one.bell && before.get(tabId(workerId, one.terminalId))?.bell === false);
  rang.forEach((one) => ringBell(tabId(workerId, one.terminalId)));
  if (since === 'page') begin(workerId, list);
}

/** Once it is known that nothing stands there: in others' workspaces and in further ones nothing opens by itself. */
function begin(workerId: string, list: TerminalSummary[]): void {
  const workspace = here.peek();
  const stop = effect(() => {
    // A terminal belongs to the workspace in which it was opened.
    if (!layoutKnown.value || !workspacesAsked.value) return;
    queueMicrotask(() => stop());
    untracked(() => {
      const own = isMyWorker(workerId) && isFirst.peek() && mayEdit.peek();
      if (!own || here.peek() !== workspace || allTabs(drawn.peek()).length > 0) return;
      const running = sorted(list).own.filter((one) => one.state === TerminalState.RUNNING);
      if (running.length === 0) void start(workerId, true).then((opened) => opened && addTabTo(currentTile.peek().id, opened));
      for (const one of running.slice(-MAX_OPENED_AT_START)) {
        addTabTo(currentTile.value.id, tabId(workerId, one.terminalId));
      }
    });
  });
}

function isMyWorker(workerId: string): boolean {
  const worker = workerOf(workerId);
  return worker !== undefined && isMine(worker);
}

/** The Worker has said what it has, and this is not of it. */
export function isGone(tab: TabId): boolean {
  const list = terminals.value.get(tabParts(tab).workerId);
  return gone.value.has(tab) || (list !== undefined && summaryOf(tab) === undefined);
}

/** Opens a terminal in a tile; says so when the Worker refuses. */
export async function openTerminal(workerId: string, leafId = currentTile.value.id): Promise<void> {
  const opened = await start(workerId);
  if (opened) addTabTo(leafId, opened);
}

/** Opens a terminal in a new half of a tile. The tile is split once there is something to show. */
export async function openBeside(workerId: string, leafId: string, side: Side): Promise<void> {
  const opened = await start(workerId);
  if (!opened) return;
  if (leafById(drawn.value, leafId)?.tabs.length) split(leafId, side, opened);
  else addTabTo(leafId, opened);
}

/** Puts a new terminal where an ended or lost one stood. */
export async function restartTerminal(tab: TabId): Promise<void> {
  const { workerId } = tabParts(tab);
  const opened = await start(workerId);
  if (!opened) return;
  swapTab(tab, opened);
  await endTerminal(tab);
}

async function start(workerId: string, byItself = false): Promise<TabId | undefined> {
  if (!byItself) await new Promise<void>((resolve) => void besidesOthers(workerId, resolve));
  if (!isReady(workerId) || opening.value.has(workerId) || !mayEdit.peek()) return undefined;
  if (allTabs(drawn.peek()).length >= MOST_DRAWN) {
    toast(`${MOST_DRAWN} tabs are all that one layout shows. Close one first.`, 'danger');
    return undefined;
  }
  opening.value = new Set([...opening.value, workerId]);
  try {
    const summary = await call(
      workerId, 'terminal.open', TerminalOpenSchema, FIRST_SIZE, TerminalSummarySchema,
    );
    remember(workerId, summary);
    return tabId(workerId, summary.terminalId);
  } catch (error) {
    toast(sentence(error, 'The terminal could not be opened.'), 'danger');
    return undefined;
  } finally {
    opening.value = new Set([...opening.value].filter((other) => other !== workerId));
  }
}

/** Whether the tab's terminal has no program any more. */
export function isOver(tab: TabId): boolean {
  const state = summaryOf(tab)?.state;
  return state === TerminalState.ENDED || state === TerminalState.LOST || isGone(tab);
}

/** Ends the terminal and takes its tab away. */
export async function closeTerminal(tab: TabId): Promise<void> {
  dropTab(tab);
  await endTerminal(tab);
}

export async function renameTerminal(tab: TabId, title: string): Promise<void> {
  const { workerId, terminalId } = tabParts(tab);
  try {
    const init = { terminalId, title };
    remember(
      workerId,
      await call(workerId, 'terminal.rename', TerminalRenameSchema, init, TerminalSummarySchema),
    );
  } catch (error) {
    toast(sentence(error, 'The terminal could not be renamed.'), 'danger');
  }
}

/** Takes over what a Worker said about one terminal. */
export function remember(workerId: string, summary: TerminalSummary): void {
  const list = terminals.peek().get(workerId) ?? [];
  const at = list.findIndex((one) => one.terminalId === summary.terminalId);
  const next = at < 0 ? [...list, summary] : list.with(at, summary);
  terminals.value = new Map(terminals.peek()).set(workerId, next);
}

export function ringBell(tab: TabId): void {
  const seen = document.visibilityState === 'visible' && document.hasFocus();
  // A program that rings all the time draws the page once.
  if (bells.peek().has(tab) || (seen && visibleTabs.value.has(tab))) return;
  bells.value = new Set([...bells.value, tab]);
}

export function clearBell(tab: TabId): void {
  if (bells.peek().has(tab)) bells.value = new Set([...bells.peek()].filter((one) => one !== tab));
}

async function endTerminal(tab: TabId): Promise<void> {
  const { workerId, terminalId } = tabParts(tab);
  if (gone.peek().has(tab)) {
    gone.value = new Map([...gone.peek()].filter(([one]) => one !== tab));
    return;
  }
  try {
    await call(workerId, 'terminal.close', TerminalCloseSchema, { terminalId }, TerminalClosedSchema);
  } catch (error) {
    // Gone already is what was asked for.
    if ((error as { code?: number }).code !== 5) {
      toast(sentence(error, 'The terminal could not be closed.'), 'danger');
    }
  }
}

function sentence(error: unknown, what: string): string {
  switch ((error as { code?: number }).code) {
    case 7:
      return `${what} This Worker does not allow it.`;
    case 8:
      return `${what} The Worker has as many as it allows.`;
    case 14:
      return `${what} The connection was lost.`;
    default:
      return what;
  }
}
