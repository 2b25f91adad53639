import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dropZone, half, neighbour, place, type Rect } from '../../src/layout/place';
import { parseTree } from '../../src/layout/stored';
import * as tiling from '../../src/layout/tree';
import type { Side, Tree } from '../../src/layout/tree';

const BOX: Rect = { x: 0, y: 0, width: 1200, height: 800 };
const SIDES: Side[] = ['left', 'right', 'up', 'down'];

/** A tree after a row of random actions, with the tabs that ought to be in it. */
function grown(actions: [number, number, number][], floats = true): { tree: Tree; tabs: Set<string> } {
  let tree: Tree = tiling.emptyTree('root');
  const tabs = new Set<string>();
  actions.forEach(([what, one, two], step) => {
    const leaf = pick(tiling.leaves(tree), one)!.id;
    const tab = pick([...tabs], two);
    const ids = { leaf: `leaf${step}`, split: `split${step}` };
    if (what === 0) {
      tree = tiling.addTab(tree, leaf, `tab${step}`);
      tabs.add(`tab${step}`);
    } else if (what === 1 && tab) {
      tree = tiling.removeTab(tree, tab);
      tabs.delete(tab);
    } else if (what === 2 && tab) tree = tiling.moveTab(tree, tab, leaf, two);
    else if (what === 3 && tab) tree = tiling.splitLeaf(tree, leaf, SIDES[one % 4]!, ids, tab);
    else if (what === 4 && tab) tree = tiling.activate(tree, tab);
    else if (what === 5) tree = tiling.setRatio(tree, `split${one}`, two / 10);
    else if (what === 6 && tab && floats) tree = tiling.floatTab(tree, tab, ids, { x: one / 20, y: two / 20, width: 0.3, height: 0.3 });
  });
  return { tree, tabs };
}

const pick = <T>(from: T[], at: number): T | undefined => from[at % Math.max(1, from.length)];
const ACTIONS = fc.array(fc.tuple(fc.nat(6), fc.nat(20), fc.nat(20)), { maxLength: 40 });

describe('the tiling tree', () => {
  it('loses and doubles no tab, whatever is done to it', () => {
    fc.assert(fc.property(ACTIONS, (actions) => {
      const { tree, tabs } = grown(actions);
      expect(tiling.allTabs(tree).toSorted()).toEqual([...tabs].toSorted());
    }));
  });

  it('shows one of its own tabs in every tile and keeps no empty tile beside others', () => {
    fc.assert(fc.property(ACTIONS, (actions) => {
      const { tree } = grown(actions);
      for (const leaf of tiling.leaves(tree)) {
        if (tree.kind === 'split') expect(leaf.tabs.length).toBeGreaterThan(0);
        expect(leaf.active === null ? leaf.tabs.length === 0 : leaf.tabs.includes(leaf.active)).toBe(true);
      }
    }));
  });

  it('fills its box: the areas of tiles and dividers add up', () => {
    fc.assert(fc.property(ACTIONS, (actions) => {
      const { tiles, dividers } = place(grown(actions, false).tree, { ...BOX, width: 12_000, height: 8_000 }, 6);
      const area = [...tiles, ...dividers].reduce((sum, { rect }) => sum + rect.width * rect.height, 0);
      expect(area).toBe(12_000 * 8_000);
    }));
  });

  it('comes back from storage as it was', () => {
    fc.assert(fc.property(ACTIONS, (actions) => {
      const { tree } = grown(actions);
      expect(parseTree(JSON.stringify(tree))).toEqual(tree);
    }));
  });

  it('reads nothing from storage that is not a tree', () => {
    const leaf = { kind: 'leaf', id: 'a', tabs: ['t'], active: 't' };
    const bad = [
      null, 'x', '{}', '[]', '{"kind":"leaf","id":"","tabs":[],"active":null}',
      JSON.stringify({ kind: 'split', id: 's', direction: 'row', ratio: 2, first: leaf, second: { ...leaf, id: 'b', tabs: [] } }),
      JSON.stringify({ kind: 'split', id: 's', direction: 'row', ratio: 0.5, first: leaf, second: leaf }),
    ];
    for (const text of bad) expect(parseTree(text)).toBeUndefined();
    fc.assert(fc.property(fc.json(), (text) => void parseTree(text)));
  });

  it('moves a tab to the place before which it was dropped', () => {
    let tree: Tree = tiling.emptyTree('root');
    for (const tab of ['a', 'b', 'c']) tree = tiling.addTab(tree, 'root', tab);
    expect(tiling.allTabs(tiling.moveTab(tree, 'a', 'root', 2))).toEqual(['b', 'a', 'c']);
    expect(tiling.allTabs(tiling.moveTab(tree, 'c', 'root', 0))).toEqual(['c', 'a', 'b']);
  });

  it('finds the neighbour on each side', () => {
    let tree: Tree = tiling.addTab(tiling.emptyTree('root'), 'root', 'a');
    tree = tiling.splitLeaf(tree, 'root', 'right', { leaf: 'east', split: 's1' }, null);
    tree = tiling.splitLeaf(tree, 'east', 'down', { leaf: 'south', split: 's2' }, null);
    const placement = place(tree, BOX, 6);
    expect(neighbour(placement, 'root', 'right')).toBe('east');
    expect(neighbour(placement, 'east', 'down')).toBe('south');
    expect(neighbour(placement, 'south', 'left')).toBe('root');
    expect(neighbour(placement, 'root', 'up')).toBeUndefined();
  });

  it('tells the middle of a tile from its edges', () => {
    expect(dropZone(BOX, 600, 400)).toBe('middle');
    expect(dropZone(BOX, 20, 400)).toBe('left');
    expect(dropZone(BOX, 600, 790)).toBe('down');
    expect(half(BOX, 'right')).toEqual({ x: 600, y: 0, width: 600, height: 800 });
  });

  it('lifts a tab into a window that never leaves its box, and puts it back', () => {
    fc.assert(fc.property(ACTIONS, fc.tuple(fc.double({ noNaN: true }), fc.double({ noNaN: true }), fc.double({ noNaN: true }), fc.double({ noNaN: true })), (actions, [x, y, width, height]) => {
      const { tree, tabs } = grown(actions, false);
      const tab = [...tabs].at(-1);
      if (tab === undefined || tabs.size < 2) return;
      const lifted = tiling.floatTab(tree, tab, { leaf: 'window', split: 'lift' }, { x, y, width, height });
      expect(tiling.allTabs(lifted).toSorted()).toEqual([...tabs].toSorted());
      const { tiles } = place(lifted, BOX, 6);
      const window = tiles.find(({ floats }) => floats !== undefined);
      expect(window?.id).toBe('window');
      const { rect } = window!;
      expect(rect.x >= 0 && rect.y >= 0 && rect.x + rect.width <= BOX.width + 1 && rect.y + rect.height <= BOX.height + 1 && rect.width > 100).toBe(true);
      const docked = tiling.setFloat(lifted, tiling.floatOf(lifted, 'window')!.id, undefined);
      expect(place(docked, BOX, 6).tiles.every(({ floats }) => floats === undefined)).toBe(true);
      expect(tiling.floatOf(docked, 'window')).toBeUndefined();
    }));
  });
});
