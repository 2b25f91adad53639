/**
 * Which tabs stand where, and which tile has the attention. `documents.ts` keeps it and shares it. What a
 * person sees of it is `drawn`: others' tabs that are not for them stay in the tree, and where they were.
 */

import { computed, signal } from '@preact/signals';
import { neighbour, place } from '../layout/place';
import * as tiling from '../layout/tree';
import type { Leaf, Side, Tree } from '../layout/tree';

/** A tab is named after what it shows, so that nothing else has to be stored for it. */
export type TabId = string;

export const tree = signal<Tree>(tiling.emptyTree('root'));
export const focusedTile = signal('root');
/** Narrow windows show one tile with every tab in it; the tree itself is left alone. */
export const narrow = signal(matchMedia('(max-width: 640px)').matches);

/** Each drawn tab is a terminal with a screen of its own; whoever can edit the layout could list any number. */
export const MOST_DRAWN = 64;
const sees = signal<(tab: TabId) => boolean>(() => true);

export const drawn = computed<Tree>(() => {
  const those = new Set(tiling.allTabs(tree.value).filter(sees.value).slice(0, MOST_DRAWN));
  return tiling.seenBy(tree.value, (tab) => those.has(tab));
});

/** Says which tabs this person can see; may read signals. */
export function drawOnly(those: (tab: TabId) => boolean): void {
  sees.value = those;
}

export const currentTile = computed<Leaf>(() => {
  const all = tiling.leaves(drawn.value);
  return all.find((leaf) => leaf.id === focusedTile.value) ?? (all[0] as Leaf);
});

export const currentTab = computed<TabId | null>(() => currentTile.value.active);

/** As it fits into the window. */
export const shownTree = computed<Tree>(() =>
  narrow.value
    ? { kind: 'leaf', id: currentTile.value.id, tabs: tiling.allTabs(drawn.value), active: currentTab.value }
    : drawn.value,
);

export const visibleTabs = computed(
  () => new Set(tiling.leaves(shownTree.value).map((leaf) => leaf.active)),
);

export function tabId(workerId: string, terminalId: string): TabId {
  return `${workerId}/${terminalId}`;
}

export function tabParts(tab: TabId): { workerId: string; terminalId: string } {
  const at = tab.indexOf('/');
  return { workerId: tab.slice(0, at), terminalId: tab.slice(at + 1) };
}

/** A narrow window shows one tile. */
export function followWidth(): void {
  matchMedia('(max-width: 640px)').addEventListener('change', (event) => {
    narrow.value = event.matches;
  });
}

export function showTab(tab: TabId): void {
  const home = tiling.leafOf(tree.value, tab);
  if (home) {
    tree.value = tiling.activate(tree.value, tab);
    focusedTile.value = home.id;
  } else {
    const into = currentTile.value.id;
    tree.value = tiling.addTab(tree.value, into, tab);
    focusedTile.value = into;
  }
}

export function addTabTo(leafId: string, tab: TabId): void {
  const into = tiling.leafById(tree.value, leafId) ? leafId : currentTile.value.id;
  tree.value = tiling.addTab(tree.value, into, tab);
  focusedTile.value = into;
}

export function dropTab(tab: TabId): void {
  tree.value = tiling.removeTab(tree.value, tab);
  focusedTile.value = currentTile.value.id;
}

export function swapTab(tab: TabId, by: TabId): void {
  tree.value = tiling.replaceTab(tree.value, tab, by);
}

/** `index`: among the tabs that are drawn. */
export function moveTab(tab: TabId, leafId: string, index?: number): void {
  const before = index === undefined ? undefined : tiling.leafById(drawn.value, leafId)?.tabs[index];
  const at = before === undefined ? undefined : tiling.leafById(tree.value, leafId)?.tabs.indexOf(before);
  tree.value = tiling.moveTab(tree.value, tab, leafId, at);
  focusedTile.value = tiling.leafOf(tree.value, tab)?.id ?? focusedTile.value;
}

/** Splits a tile and returns the new one's id. */
export function split(leafId: string, side: Side, tab: TabId | null): string {
  const ids = { leaf: freshId(), split: freshId() };
  tree.value = tiling.splitLeaf(tree.value, leafId, side, ids, tab);
  focusedTile.value = ids.leaf;
  return ids.leaf;
}

/** Moves the current tab to the tile on that side, or into a new tile there. */
export function moveCurrentTab(side: Side): void {
  const tab = currentTab.value;
  if (tab === null) return;
  const next = neighbourOf(currentTile.value.id, side);
  if (next) moveTab(tab, next);
  else if (currentTile.value.tabs.length > 1) split(currentTile.value.id, side, tab);
}

/** Moves the current tab within its tab list. */
export function shiftCurrentTab(by: 1 | -1): void {
  const { id, tabs, active } = currentTile.value;
  if (active === null) return;
  const at = tabs.indexOf(active) + by;
  if (at >= 0 && at < tabs.length) moveTab(active, id, by > 0 ? at + 1 : at);
}

export function stepTab(by: 1 | -1): void {
  const shown = narrow.value ? tiling.allTabs(drawn.value) : currentTile.value.tabs;
  const at = shown.indexOf(currentTab.value ?? '');
  const next = shown[(at + by + shown.length) % shown.length];
  if (next !== undefined) showTab(next);
}

export function focusTile(side: Side): void {
  const next = neighbourOf(currentTile.value.id, side);
  if (next) focusedTile.value = next;
}

export function resizeCurrentTile(by: number): void {
  const home = parentOf(drawn.value, currentTile.value.id);
  if (home && !home.split.float) setRatio(home.split.id, home.split.ratio + (home.leads ? by : -by));
}

export function setRatio(splitId: string, ratio: number): void {
  tree.value = tiling.setRatio(tree.value, splitId, ratio);
}

/** Lifts the current tab out into a window over the tiles. */
export function floatCurrentTab(): void {
  const tab = currentTab.value;
  if (tab === null || tiling.floatOf(drawn.value, currentTile.value.id)) return;
  const ids = { leaf: freshId(), split: freshId() };
  const before = tree.value;
  tree.value = tiling.floatTab(tree.value, tab, ids, NEW_WINDOW);
  if (tree.value !== before) focusedTile.value = ids.leaf;
}

export function floatHere(): tiling.Split | undefined {
  return tiling.floatOf(drawn.value, currentTile.value.id);
}

/** Moves the window that has the attention, or gives it another size. */
export function changeWindow(change: (float: tiling.Float) => tiling.Float): void {
  const lift = floatHere();
  if (lift?.float) setWindow(lift.id, change(lift.float));
}

export function setWindow(splitId: string, float: tiling.Float): void {
  tree.value = tiling.setFloat(tree.value, splitId, float);
}

/** The window is a tile among the others again. */
export function dockWindow(): void {
  const lift = floatHere();
  if (lift) tree.value = tiling.setFloat(tree.value, lift.id, undefined);
}

export function closeTile(leafId: string): void {
  tree.value = tiling.removeLeaf(tree.value, leafId);
  focusedTile.value = currentTile.value.id;
}

/** Out of the layout, for everybody. */
export function pruneTabs(keep: (tab: TabId) => boolean): void {
  const pruned = tiling.prune(tree.value, keep);
  if (pruned !== tree.value) tree.value = pruned;
  focusedTile.value = currentTile.value.id;
}

function neighbourOf(leafId: string, side: Side): string | undefined {
  return neighbour(place(drawn.value, { x: 0, y: 0, width: 1000, height: 1000 }, 6), leafId, side);
}

const NEW_WINDOW: tiling.Float = { x: 0.3, y: 0.2, width: 0.5, height: 0.55 };

function parentOf(node: Tree, leafId: string): { split: tiling.Split; leads: boolean } | undefined {
  if (node.kind === 'leaf') return undefined;
  if (node.first.kind === 'leaf' && node.first.id === leafId) return { split: node, leads: true };
  if (node.second.kind === 'leaf' && node.second.id === leafId) return { split: node, leads: false };
  return parentOf(node.first, leafId) ?? parentOf(node.second, leafId);
}

function freshId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
