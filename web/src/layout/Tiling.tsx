/**
 * Tiles, tabs and dividers from the tree. Tile frames, dividers and terminal panels are flat,
 * keyed, absolutely placed siblings: no change of the tree ever mounts a terminal anew.
 */

import { signal } from '@preact/signals';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { focusedTile, narrow, shownTree, tree } from '../state/layout';
import { mayEdit } from '../state/workspaces';
import { TerminalPanel } from '../terminal/TerminalPanel';
import { DividerLine } from './DividerLine';
import { EmptyTile } from './EmptyTile';
import { half, place, type Rect } from './place';
import { Tabs } from './Tabs';
import { allTabs, leaves, leafOf, type Side } from './tree';

const GAP = 6;
const TAB_STRIP = 34;

/** Where a dragged tab would land; drawn above everything. */
export const dropTarget = signal<{ tile: string; zone: Side | 'middle' } | undefined>(undefined);

export function Tiling() {
  const ref = useRef<HTMLDivElement>(null);
  const [box, setBox] = useState<Rect>({ x: 0, y: 0, width: 0, height: 0 });
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return undefined;
    const measure = () => {
      const { clientWidth: width, clientHeight: height } = element;
      // A hidden workspace keeps its size, so that its terminals keep theirs.
      if (width > 0) setBox({ x: 0, y: 0, width, height });
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    return () => observer.disconnect();
  }, []);

  const shown = shownTree.value;
  const placed = place(shown, box, GAP);
  const rectOf = (id: string) => placed.tiles.find((tile) => tile.id === id)?.rect;
  const several = placed.tiles.length > 1;
  const target = dropTarget.value;
  const targetRect = target && rectOf(target.tile);
  return (
    <div ref={ref} class="tiling">
      {leaves(shown).map((leaf, index) => {
        const rect = rectOf(leaf.id) ?? box;
        const focused = several && leaf.id === focusedTile.value;
        return (
          <div key={`tile ${leaf.id}`} class={`tile ${focused || !several ? 'focused' : ''} ${several ? '' : 'alone'}`} style={css(rect)} role="group" aria-label={`Tile ${index + 1}`}
            data-tile={leaf.id} onPointerDown={() => (focusedTile.value = leaf.id)}>
            <Tabs leaf={leaf} alone={!several} />
            {leaf.tabs.length === 0 && <EmptyTile leafId={leaf.id} alone={!several} />}
          </div>
        );
      })}
      {allTabs(tree.value).slice().sort().map((tab) => {
        const home = leafOf(shown, tab);
        const rect = (home && rectOf(home.id)) ?? box;
        return <TerminalPanel key={`panel ${tab}`} tab={tab} visible={home?.active === tab} rect={below(rect)} tile={home?.id ?? ''} />;
      })}
      {!narrow.value && mayEdit.value && placed.dividers.map((divider) => <DividerLine key={`divider ${divider.id}`} divider={divider} />)}
      {target && targetRect && <div class="drop-target" style={css(half(targetRect, target.zone))} />}
    </div>
  );
}

/** Through the CSSOM, as all styles that a script sets. */
export function css({ x, y, width, height }: Rect) {
  return { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` };
}

function below(tile: Rect): Rect {
  return { x: tile.x + 1, y: tile.y + TAB_STRIP, width: Math.max(0, tile.width - 2), height: Math.max(0, tile.height - TAB_STRIP - 1) };
}
