import fc from 'fast-check';
import * as Y from 'yjs';
import { describe, expect, it } from 'vitest';
import { readTree, sameLayout, showingAsBefore, writeTree } from '../../src/layout/document';
import { placesFor } from '../../src/layout/order';
import * as tiling from '../../src/layout/tree';
import type { Side, Tree } from '../../src/layout/tree';

const SIDES: Side[] = ['left', 'right', 'up', 'down'];
type Action = [what: number, one: number, two: number];
const ACTIONS = fc.array(fc.tuple(fc.nat(7), fc.nat(20), fc.nat(20)), { maxLength: 12 });
const pick = <T>(from: readonly T[], at: number): T | undefined => from[at % Math.max(1, from.length)];

/** Somebody with a copy: acts on what the copy says, and writes it down. */
class Person {
  readonly doc = new Y.Doc();
  tree: Tree = readTree(this.doc);
  readonly closed = new Set<string>();
  #step = 0;

  constructor(readonly name: string) {}

  act([what, one, two]: Action): void {
    const step = `${this.name}${this.#step++}`;
    const leaf = pick(tiling.leaves(this.tree), one)!.id;
    const tab = pick(tiling.allTabs(this.tree), two);
    const ids = { leaf: `leaf-${step}`, split: `split-${step}` };
    if (what === 0) this.tree = tiling.addTab(this.tree, leaf, `tab-${step}`, two % 3);
    else if (what === 1 && tab) {
      this.tree = tiling.removeTab(this.tree, tab);
      this.closed.add(tab);
    } else if (what === 2 && tab) this.tree = tiling.moveTab(this.tree, tab, leaf, two % 4);
    else if (what === 3 && tab) this.tree = tiling.splitLeaf(this.tree, leaf, SIDES[one % 4]!, ids, tab);
    else if (what === 4 && this.tree.kind === 'split') this.tree = tiling.setRatio(this.tree, this.tree.id, (two % 9) / 10);
    else if (what === 6 && tab) this.tree = tiling.floatTab(this.tree, tab, ids, { x: one / 20, y: two / 20, width: 0.4, height: 0.5 });
    else if (what === 7) {
      const split = tiling.floatOf(this.tree, leaf);
      if (split) this.tree = tiling.setFloat(this.tree, split.id, two % 2 ? undefined : { x: two / 20, y: 0.1, width: 0.3, height: 0.3 });
    } else if (what === 5) this.tree = tiling.addTab(this.tree, leaf, `tab-${step}`);
    writeTree(this.doc, this.tree);
  }

  hear(other: Person): void {
    Y.applyUpdate(this.doc, Y.encodeStateAsUpdate(other.doc));
    this.tree = showingAsBefore(readTree(this.doc), this.tree);
  }
}

function expectValid(tree: Tree): void {
  const tabs = tiling.allTabs(tree);
  expect(new Set(tabs).size).toBe(tabs.length);
  const ids = (node: Tree): string[] => (node.kind === 'leaf' ? [node.id] : [node.id, ...ids(node.first), ...ids(node.second)]);
  expect(new Set(ids(tree)).size).toBe(ids(tree).length);
  for (const leaf of tiling.leaves(tree)) {
    if (tree.kind === 'split') expect(leaf.tabs.length).toBeGreaterThan(0);
    expect(leaf.active === null ? leaf.tabs.length === 0 : leaf.tabs.includes(leaf.active)).toBe(true);
  }
}

describe('the layout document', () => {
  it('says the tree that was written, after any row of edits', () => {
    fc.assert(fc.property(ACTIONS, (actions) => {
      const person = new Person('a');
      for (const action of actions) {
        person.act(action);
        expect(sameLayout(readTree(person.doc), person.tree)).toBe(true);
      }
    }));
  });

  it('is a tree for everybody, the same one, after any merge, and no tab is lost or doubled', () => {
    fc.assert(fc.property(ACTIONS, ACTIONS, ACTIONS, (before, one, two) => {
      const [a, b] = [new Person('a'), new Person('b')];
      before.forEach((action) => a.act(action));
      b.hear(a);
      one.forEach((action) => a.act(action));
      two.forEach((action) => b.act(action));
      const wanted = new Set([...tiling.allTabs(a.tree), ...tiling.allTabs(b.tree)]);
      const [tabsA, tabsB] = [tiling.allTabs(a.tree), tiling.allTabs(b.tree)];
      a.hear(b);
      b.hear(a);
      expect(readTree(a.doc)).toEqual(readTree(b.doc));
      [a, b].forEach((person) => expectValid(person.tree));
      const merged = tiling.allTabs(a.tree);
      // What nobody closed is there; what is there, somebody had.
      for (const tab of wanted) if (!a.closed.has(tab) && !b.closed.has(tab)) expect(merged).toContain(tab);
      for (const tab of merged) expect(tabsA.includes(tab) || tabsB.includes(tab)).toBe(true);
    }), { numRuns: 400 });
  });

  it('goes on from a merge: what is done next is said as it was done', () => {
    fc.assert(fc.property(ACTIONS, ACTIONS, ACTIONS, (one, two, after) => {
      const [a, b] = [new Person('a'), new Person('b')];
      one.forEach((action) => a.act(action));
      two.forEach((action) => b.act(action));
      a.hear(b);
      for (const action of after) {
        a.act(action);
        expect(sameLayout(readTree(a.doc), a.tree)).toBe(true);
        expectValid(a.tree);
      }
    }), { numRuns: 200 });
  });

  it('is a tree whatever stands in it', () => {
    const entry = fc.oneof(fc.anything(), fc.record({ in: fc.constantFrom('', 'a', 'b', 'c', 'd', '+b', 'x'), side: fc.constantFrom(0, 1), direction: fc.constantFrom('row', 'column'), tile: fc.constantFrom('a', 'b', 'c', 'x'), at: fc.double() }));
    const dictionary = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', '+b', '++b'), entry);
    fc.assert(fc.property(dictionary, dictionary, dictionary, dictionary, (tabs, tiles, splits, ratios) => {
      const doc = new Y.Doc();
      Object.entries({ tabs, tiles, splits, ratios }).forEach(([name, entries]) => Object.entries(entries).forEach(([id, one]) => {
        try {
          doc.getMap(name).set(id, one);
        } catch {
          // Not even a document can hold it.
        }
      }));
      const tree = readTree(doc);
      expectValid(tree);
      writeTree(doc, tiling.addTab(tree, tiling.leaves(tree)[0]!.id, 'new'));
      expect(tiling.allTabs(readTree(doc))).toEqual(expect.arrayContaining([...tiling.allTabs(tree), 'new']));
    }), { numRuns: 500 });
  });

  it('keeps both splits when two people split one tile at once', () => {
    const [a, b] = [new Person('a'), new Person('b')];
    for (const tab of ['one', 'two', 'three']) a.tree = tiling.addTab(a.tree, 'root', tab);
    writeTree(a.doc, a.tree);
    b.hear(a);
    a.tree = tiling.splitLeaf(a.tree, 'root', 'right', { leaf: 'east', split: 's1' }, 'two');
    b.tree = tiling.splitLeaf(b.tree, 'root', 'down', { leaf: 'south', split: 's2' }, 'three');
    [a, b].forEach((person) => writeTree(person.doc, person.tree));
    a.hear(b);
    b.hear(a);
    expect(tiling.leaves(a.tree).map(({ tabs }) => tabs).toSorted()).toEqual([['one'], ['three'], ['two']]);
    expect(a.tree).toEqual(b.tree);
  });

  it('shows in each tile what it showed, or the neighbour of what was closed elsewhere', () => {
    const leaf = (tabs: string[], active: string | null): Tree => ({ kind: 'leaf', id: 'root', tabs, active });
    expect(showingAsBefore(leaf(['a', 'b', 'c'], 'a'), leaf(['a', 'b'], 'b'))).toEqual(leaf(['a', 'b', 'c'], 'b'));
    expect(showingAsBefore(leaf(['a', 'c'], 'a'), leaf(['a', 'b', 'c'], 'b'))).toEqual(leaf(['a', 'c'], 'c'));
    expect(showingAsBefore(leaf([], null), leaf(['a'], 'a'))).toEqual(leaf([], null));
  });
});

describe('places in a list', () => {
  it('put any list into any order and change as few as they can', () => {
    fc.assert(fc.property(fc.uniqueArray(fc.string({ minLength: 1, maxLength: 3 }), { maxLength: 12 }), fc.array(fc.double({ noNaN: true, min: -9, max: 9 }), { maxLength: 12 }), (ids, numbers) => {
      const known = new Map(ids.slice(0, numbers.length).map((id, at) => [id, numbers[at]!]));
      const places = placesFor(ids, known);
      const row = ids.map((id) => places.get(id)!);
      expect(row.every((place, at) => at === 0 || place > row[at - 1]!)).toBe(true);
    }));
    const known = new Map([['a', 1], ['b', 2], ['c', 3]]);
    expect([...placesFor(['c', 'a', 'b'], known)]).toEqual([['c', 0], ['a', 1], ['b', 2]]);
    expect(placesFor(['a', 'c', 'b'], known).get('a')).toBe(1);
  });
});
