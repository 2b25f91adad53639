/**
 * The tiling as a document that several people edit at once. Every tab, tile and split is one entry
 * of a map, under its own id, and says where it stands; so two edits of different things never meet,
 * and of two edits of one thing one wins as a whole.
 *
 * Whatever entries a merge leaves behind, reading gives a tree: a tab whose tile is gone moves to the
 * first tile, a tile whose split is gone to the top, and more than two in one place are put side by
 * side. Everybody reads the same tree from the same entries. Which tab a tile shows is nobody else's
 * business and not in the document.
 */

import * as Y from 'yjs';
import { byPlace, type Placed, placesFor } from './order';
import { readFloat } from './stored';
import { type Direction, type Float, type Leaf, type Tree, leaves } from './tree';

/** Where a node hangs: the id of a split, or '' for the top; and on which of its sides. */
interface Hung {
  in: string;
  side: 0 | 1;
}
interface SplitEntry extends Hung {
  direction: Direction;
}
export interface TabEntry {
  tile: string;
  at: number;
}
/** Tabs that stand in no document, and yet have their places in the tree. */
export type Private = ReadonlyMap<string, TabEntry>;
const NONE: Private = new Map();
type Node = { id: string; hung: Hung; direction?: Direction; float?: Float };

const FIRST = 'root';
const MOST_ENTRIES = 512;
const MOST_ID = 200;

/** The document's maps. Ratios and the places of windows stand apart: to drag one is no reason to undo somebody's split. */
function maps(doc: Y.Doc) {
  return {
    tabs: doc.getMap<unknown>('tabs'),
    tiles: doc.getMap<unknown>('tiles'),
    splits: doc.getMap<unknown>('splits'),
    ratios: doc.getMap<unknown>('ratios'),
    floats: doc.getMap<unknown>('floats'),
  };
}

/** The tree of these entries. `active` of each tile is its first tab: the caller knows better. */
export function readTree(doc: Y.Doc, own = NONE): Tree {
  const { tabs, tiles, splits, ratios, floats } = maps(doc);
  const nodes = new Map<string, Node>();
  for (const [id, entry] of entries(tiles, hungOf)) nodes.set(id, { id, hung: entry });
  for (const [id, entry] of entries(splits, splitOf)) nodes.set(id, { id, hung: entry, direction: entry.direction, float: readFloat(floats.get(id)) });
  const content = tabsByTile([...entries(tabs, tabOf).filter(([id]) => !own.has(id)), ...own]);
  const homeless = [...content].filter(([tile]) => !nodes.has(tile) || nodes.get(tile)!.direction).flatMap(([, list]) => list);
  const build = new Builder(nodes, content, (split) => ratioOf(ratios.get(split)));
  const tree = build.top();
  if (homeless.length === 0) return tree ?? emptyLeaf(build.firstTile ?? FIRST);
  homeless.sort(byPlace);
  return adopt(tree, build.firstTile ?? FIRST, homeless.map(({ id }) => id));
}

/**
 * Makes the document say `after`, but for its private tabs. What it says already is left as it is, and so
 * is all of it where nothing differs.
 */
export function writeTree(doc: Y.Doc, after: Tree, origin?: unknown, isPrivate = (_tab: string) => false): void {
  const { tabs, tiles, splits, ratios, floats } = maps(doc);
  const own = privateOf(doc, after, isPrivate);
  const tells = [...own.keys()].some((tab) => tabs.has(tab));
  if (!tells && sameLayout(readTree(doc, own), after)) return;
  doc.transact(() => {
    const flat = flatten(after, placesIn(doc));
    for (const tab of own.keys()) flat.tabs.delete(tab);
    replace(tabs, flat.tabs);
    replace(tiles, flat.tiles);
    replace(splits, flat.splits);
    replace(ratios, flat.ratios);
    replace(floats, flat.floats);
  }, origin);
}

/** Where the private tabs of a tree stand, beside those of the document. */
export function privateOf(doc: Y.Doc, tree: Tree, isPrivate: (tab: string) => boolean): Private {
  return new Map([...flatten(tree, placesIn(doc)).tabs].filter(([tab]) => isPrivate(tab)));
}

function placesIn(doc: Y.Doc): Map<string, number> {
  return new Map(entries(maps(doc).tabs, tabOf).map(([id, { at }]) => [id, at]));
}

/** Whether both have the same tabs in the same tiles in the same places, whatever is shown. */
export function sameLayout(a: Tree, b: Tree): boolean {
  return JSON.stringify(a, withoutActive) === JSON.stringify(b, withoutActive);
}

function withoutActive(key: string, value: unknown): unknown {
  return key === 'active' ? undefined : value;
}

/** Lets each tile show what it showed before; where that is gone, its neighbour. */
export function showingAsBefore(tree: Tree, before: Tree): Tree {
  const [old, shown] = [new Map(leaves(before).map((leaf) => [leaf.id, leaf])), new Set(leaves(before).map((leaf) => leaf.active))];
  const show = (node: Tree): Tree =>
    node.kind === 'leaf' ? { ...node, active: choose(node, old.get(node.id), shown) } : { ...node, first: show(node.first), second: show(node.second) };
  return show(tree);
}

function choose({ tabs }: Leaf, old: Leaf | undefined, shown: ReadonlySet<string | null>): string | null {
  if (old?.active != null && tabs.includes(old.active)) return old.active;
  const moved = tabs.find((tab) => shown.has(tab));
  const at = old?.active == null ? 0 : Math.max(0, old.tabs.indexOf(old.active));
  return moved ?? tabs[Math.min(at, tabs.length - 1)] ?? null;
}

class Builder {
  /** The first tile in the order of reading, empty ones too. */
  firstTile: string | undefined;
  readonly #below = new Map<string, Node[]>();
  readonly #used: Set<string>;

  constructor(nodes: ReadonlyMap<string, Node>, private readonly content: ReadonlyMap<string, Placed[]>,
    private readonly ratio: (split: string) => number) {
    this.#used = new Set(nodes.keys());
    for (const node of nodes.values()) {
      const above = rooted(node, nodes) ? node.hung.in : '';
      const parent = nodes.get(above)?.direction ? above : '';
      this.#below.set(parent, [...(this.#below.get(parent) ?? []), node]);
    }
  }

  top(): Tree | undefined {
    return this.#join((this.#below.get('') ?? []).sort(bySide), 'row');
  }

  #build(node: Node): Tree | undefined {
    if (!node.direction) {
      this.firstTile ??= node.id;
      const tabs = (this.content.get(node.id) ?? []).map(({ id }) => id);
      return tabs.length === 0 ? undefined : { kind: 'leaf', id: node.id, tabs, active: tabs[0]! };
    }
    const below = (this.#below.get(node.id) ?? []).sort(bySide);
    const first = this.#join(below.filter(({ hung }) => hung.side === 0), node.direction);
    const second = this.#join(below.filter(({ hung }) => hung.side === 1), node.direction);
    if (!first || !second) return first ?? second;
    return { kind: 'split', id: node.id, direction: node.direction, ratio: this.ratio(node.id), first, second, ...(node.float && { float: node.float }) };
  }

  /** Side by side; an emptied tile gives its room away. */
  #join(nodes: Node[], direction: Direction): Tree | undefined {
    return nodes.map((node) => this.#build(node)).reduce<Tree | undefined>((first, second) => {
      if (!first || !second) return first ?? second;
      return { kind: 'split', id: this.#fresh(second.id), direction, ratio: 0.5, first, second };
    }, undefined);
  }

  /** A name for a split that nobody made, the same for everybody. */
  #fresh(after: string): string {
    let id = `+${after}`.slice(0, MOST_ID);
    while (this.#used.has(id)) id = `+${id}`.slice(0, MOST_ID - 8) + this.#used.size;
    this.#used.add(id);
    return id;
  }
}

function tabsByTile(tabs: [string, TabEntry][]): Map<string, Placed[]> {
  const lists = new Map<string, Placed[]>();
  for (const [id, { tile, at }] of tabs) lists.set(tile, [...(lists.get(tile) ?? []), { id, at }]);
  lists.forEach((list) => list.sort(byPlace));
  return lists;
}

/** False for the one node of a ring that is cut from it, and for what hangs on nothing. */
function rooted(node: Node, nodes: ReadonlyMap<string, Node>): boolean {
  const seen = new Set([node.id]);
  for (let at = nodes.get(node.hung.in); at; at = nodes.get(at.hung.in)) {
    if (at.id === node.id) return node.id !== [...seen].sort()[0];
    // A ring further up is cut there.
    if (seen.has(at.id)) return true;
    seen.add(at.id);
  }
  return true;
}

function bySide(a: Node, b: Node): number {
  return a.hung.side - b.hung.side || (a.id < b.id ? -1 : 1);
}

function adopt(tree: Tree | undefined, tile: string, tabs: string[]): Tree {
  if (!tree) return { kind: 'leaf', id: tile, tabs, active: tabs[0] ?? null };
  const home = leaves(tree)[0]!.id;
  const into = (node: Tree): Tree => {
    if (node.kind === 'leaf') return node.id === home ? { ...node, tabs: [...node.tabs, ...tabs] } : node;
    return { ...node, first: into(node.first), second: into(node.second) };
  };
  return into(tree);
}

function emptyLeaf(id: string): Leaf {
  return { kind: 'leaf', id, tabs: [], active: null };
}

interface Flat {
  tabs: Map<string, TabEntry>;
  tiles: Map<string, Hung>;
  splits: Map<string, SplitEntry>;
  ratios: Map<string, number>;
  floats: Map<string, Float>;
}

function flatten(tree: Tree, places: ReadonlyMap<string, number>): Flat {
  const flat: Flat = { tabs: new Map(), tiles: new Map(), splits: new Map(), ratios: new Map(), floats: new Map() };
  const visit = (node: Tree, hung: Hung): void => {
    if (node.kind === 'split') {
      flat.splits.set(node.id, { ...hung, direction: node.direction });
      flat.ratios.set(node.id, node.ratio);
      if (node.float) flat.floats.set(node.id, node.float);
      visit(node.first, { in: node.id, side: 0 });
      visit(node.second, { in: node.id, side: 1 });
      return;
    }
    flat.tiles.set(node.id, hung);
    placesFor(node.tabs, places).forEach((at, tab) => flat.tabs.set(tab, { tile: node.id, at }));
  };
  visit(tree, { in: '', side: 0 });
  return flat;
}

function replace(map: Y.Map<unknown>, entries: ReadonlyMap<string, unknown>): void {
  for (const id of [...map.keys()]) if (!entries.has(id)) map.delete(id);
  for (const [id, entry] of entries) {
    if (!sameEntry(map.get(id), entry)) map.set(id, entry);
  }
}

function sameEntry(a: unknown, b: unknown): boolean {
  const sorted = (entry: unknown) => (entry && typeof entry === 'object' ? JSON.stringify(Object.entries(entry).toSorted()) : entry);
  return sorted(a) === sorted(b);
}

/** The entries that can be read, in an order that is everybody's; others are as if they were not there. */
function entries<T>(map: Y.Map<unknown>, read: (entry: Record<string, unknown>) => T | undefined): [string, T][] {
  const ids = [...map.keys()].filter((id) => id !== '' && id.length <= MOST_ID).sort().slice(0, MOST_ENTRIES);
  return ids.flatMap((id): [string, T][] => {
    const entry = map.get(id);
    const known = entry && typeof entry === 'object' ? read(entry as Record<string, unknown>) : undefined;
    return known === undefined ? [] : [[id, known]];
  });
}

function hungOf(entry: Record<string, unknown>): Hung | undefined {
  const { in: above, side } = entry;
  return typeof above === 'string' && (side === 0 || side === 1) ? { in: above, side } : undefined;
}

function splitOf(entry: Record<string, unknown>): SplitEntry | undefined {
  const hung = hungOf(entry);
  const { direction } = entry;
  return hung && (direction === 'row' || direction === 'column') ? { ...hung, direction } : undefined;
}

function tabOf(entry: Record<string, unknown>): TabEntry | undefined {
  const { tile, at } = entry;
  return typeof tile === 'string' && typeof at === 'number' && Number.isFinite(at) ? { tile, at } : undefined;
}

function ratioOf(value: unknown): number {
  return typeof value === 'number' && value >= 0.1 && value <= 0.9 ? value : 0.5;
}
