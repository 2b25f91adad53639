/**
 * The tiling as a value: a binary tree of tiles. Pure; ids come in as arguments.
 *
 * Invariants: every tab stands in exactly one tile, a tile that lost its last tab is gone unless
 * it is the root, and `active` is one of `tabs` (or null when there is none).
 */

export type Side = 'left' | 'right' | 'up' | 'down';
export type Direction = 'row' | 'column';

export interface Leaf {
  kind: 'leaf';
  id: string;
  tabs: string[];
  active: string | null;
}

export interface Split {
  kind: 'split';
  id: string;
  direction: Direction;
  /** Share of the first child, 0.1 to 0.9. */
  ratio: number;
  first: Tree;
  second: Tree;
  /** The second child is a window that floats over the first; shares of the whole, 0 to 1. */
  float?: Float;
}

export interface Float {
  x: number;
  y: number;
  width: number;
  height: number;
}

export type Tree = Leaf | Split;

export function emptyTree(id: string): Leaf {
  return { kind: 'leaf', id, tabs: [], active: null };
}

export function leaves(tree: Tree): Leaf[] {
  return tree.kind === 'leaf' ? [tree] : [...leaves(tree.first), ...leaves(tree.second)];
}

export function allTabs(tree: Tree): string[] {
  return leaves(tree).flatMap((leaf) => leaf.tabs);
}

export function leafById(tree: Tree, id: string): Leaf | undefined {
  return leaves(tree).find((leaf) => leaf.id === id);
}

export function leafOf(tree: Tree, tab: string): Leaf | undefined {
  return leaves(tree).find((leaf) => leaf.tabs.includes(tab));
}

/** Puts a new tab into a tile and shows it; without an index, at the end. */
export function addTab(tree: Tree, leafId: string, tab: string, index?: number): Tree {
  if (leafOf(tree, tab)) return activate(tree, tab);
  return mapLeaf(tree, leafId, (leaf) => {
    const tabs = [...leaf.tabs];
    tabs.splice(index ?? tabs.length, 0, tab);
    return { ...leaf, tabs, active: tab };
  });
}

/** Takes a tab out; its neighbour is shown next, and an emptied tile gives its room away. */
export function removeTab(tree: Tree, tab: string): Tree {
  return collapse(takeOut(tree, tab));
}

export function replaceTab(tree: Tree, tab: string, by: string): Tree {
  return mapLeaf(tree, leafOf(tree, tab)?.id ?? '', (leaf) => ({
    ...leaf,
    tabs: leaf.tabs.map((other) => (other === tab ? by : other)),
    active: leaf.active === tab ? by : leaf.active,
  }));
}

export function moveTab(tree: Tree, tab: string, leafId: string, index?: number): Tree {
  const from = leafOf(tree, tab);
  if (!from || !leafById(tree, leafId)) return tree;
  const before = from.id === leafId && index !== undefined && from.tabs.indexOf(tab) < index;
  const target = index === undefined ? undefined : index - (before ? 1 : 0);
  return collapse(addTab(takeOut(tree, tab), leafId, tab, target));
}

export function activate(tree: Tree, tab: string): Tree {
  return mapLeaf(tree, leafOf(tree, tab)?.id ?? '', (leaf) => ({ ...leaf, active: tab }));
}

/** Halves a tile. The new tile stands on `side` and holds `tab`, taken from wherever it was. */
export function splitLeaf(
  tree: Tree,
  leafId: string,
  side: Side,
  ids: { leaf: string; split: string },
  tab: string | null,
): Tree {
  const without = tab === null ? tree : takeOut(tree, tab);
  const fresh: Leaf = { kind: 'leaf', id: ids.leaf, tabs: tab === null ? [] : [tab], active: tab };
  const halved = mapLeaf(without, leafId, (leaf): Tree => {
    const leads = side === 'left' || side === 'up';
    return {
      kind: 'split',
      id: ids.split,
      direction: side === 'left' || side === 'right' ? 'row' : 'column',
      ratio: 0.5,
      first: leads ? fresh : leaf,
      second: leads ? leaf : fresh,
    };
  });
  return tab === null ? halved : collapse(halved);
}

/** Lifts a tab out into a window of its own, over everything; the last tab of all stays where it is. */
export function floatTab(tree: Tree, tab: string, ids: { leaf: string; split: string }, float: Float): Tree {
  if (!leafOf(tree, tab) || allTabs(tree).length < 2) return tree;
  const window: Leaf = { kind: 'leaf', id: ids.leaf, tabs: [tab], active: tab };
  return collapse({ kind: 'split', id: ids.split, direction: 'row', ratio: 0.5, first: takeOut(tree, tab), second: window, float: within(float) });
}

/** The split that lets this tile float, if it does. */
export function floatOf(tree: Tree, leafId: string): Split | undefined {
  if (tree.kind === 'leaf') return undefined;
  const inner = floatOf(tree.first, leafId) ?? floatOf(tree.second, leafId);
  return inner ?? (tree.float && leafById(tree.second, leafId) ? tree : undefined);
}

/** Moves a window, or gives it another size; without a place it is a tile again. */
export function setFloat(tree: Tree, splitId: string, float: Float | undefined): Tree {
  if (tree.kind === 'leaf') return tree;
  if (tree.id === splitId) {
    const { float: _, ...split } = tree;
    return float ? { ...split, float: within(float) } : split;
  }
  return { ...tree, first: setFloat(tree.first, splitId, float), second: setFloat(tree.second, splitId, float) };
}

const LEAST = 0.15;

/** Large enough to be used, and never out of reach. */
export function within({ x, y, width, height }: Float): Float {
  const clamp = (value: number, least: number, most: number) => Math.round(Math.min(most, Math.max(least, value)) * 1000) / 1000;
  const [w, h] = [clamp(width, LEAST, 1), clamp(height, LEAST, 1)];
  return { x: clamp(x, 0, 1 - w), y: clamp(y, 0, 1 - h), width: w, height: h };
}

export function setRatio(tree: Tree, splitId: string, ratio: number): Tree {
  if (tree.kind === 'leaf') return tree;
  if (tree.id === splitId) return { ...tree, ratio: Math.min(0.9, Math.max(0.1, ratio)) };
  return {
    ...tree,
    first: setRatio(tree.first, splitId, ratio),
    second: setRatio(tree.second, splitId, ratio),
  };
}

/** Drops the tabs that `keep` does not want. */
export function prune(tree: Tree, keep: (tab: string) => boolean): Tree {
  return allTabs(tree).reduce((rest, tab) => (keep(tab) ? rest : removeTab(rest, tab)), tree);
}

/** The tree as somebody sees it who sees only some of its tabs: a tile that has others alone gives its room away. */
export function seenBy(tree: Tree, sees: (tab: string) => boolean): Tree {
  return seen(tree, sees) ?? emptyTree(leaves(tree)[0]!.id);
}

function seen(tree: Tree, sees: (tab: string) => boolean): Tree | undefined {
  if (tree.kind === 'split') {
    const [first, second] = [seen(tree.first, sees), seen(tree.second, sees)];
    if (!first || !second) return first ?? second;
    return first === tree.first && second === tree.second ? tree : { ...tree, first, second };
  }
  const tabs = tree.tabs.filter(sees);
  if (tabs.length === tree.tabs.length) return tree;
  if (tabs.length === 0) return undefined;
  if (tree.active !== null && tabs.includes(tree.active)) return { ...tree, tabs };
  const after = tree.tabs.slice(tree.tabs.indexOf(tree.active ?? '')).find(sees);
  return { ...tree, tabs, active: after ?? tabs.at(-1)! };
}

/** Removes an empty tile on purpose; the last tile stays. */
export function removeLeaf(tree: Tree, leafId: string): Tree {
  if (tree.kind === 'leaf') return tree;
  if (tree.first.kind === 'leaf' && tree.first.id === leafId) return tree.second;
  if (tree.second.kind === 'leaf' && tree.second.id === leafId) return tree.first;
  return { ...tree, first: removeLeaf(tree.first, leafId), second: removeLeaf(tree.second, leafId) };
}

function mapLeaf(tree: Tree, leafId: string, change: (leaf: Leaf) => Tree): Tree {
  if (tree.kind === 'leaf') return tree.id === leafId ? change(tree) : tree;
  const first = mapLeaf(tree.first, leafId, change);
  const second = mapLeaf(tree.second, leafId, change);
  return first === tree.first && second === tree.second ? tree : { ...tree, first, second };
}

function takeOut(tree: Tree, tab: string): Tree {
  return mapLeaf(tree, leafOf(tree, tab)?.id ?? '', (leaf) => {
    const at = leaf.tabs.indexOf(tab);
    const tabs = leaf.tabs.filter((other) => other !== tab);
    const next = tabs[Math.min(at, tabs.length - 1)] ?? null;
    return { ...leaf, tabs, active: leaf.active === tab ? next : leaf.active };
  });
}

function collapse(tree: Tree): Tree {
  if (tree.kind === 'leaf') return tree;
  const first = collapse(tree.first);
  const second = collapse(tree.second);
  if (first.kind === 'leaf' && first.tabs.length === 0) return second;
  if (second.kind === 'leaf' && second.tabs.length === 0) return first;
  return { ...tree, first, second };
}
