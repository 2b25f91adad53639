/**
 * Tiles, tabs and dividers from the tree. Tile frames, dividers and terminal panels are flat,
 * keyed, absolutely placed siblings: no change of the tree ever mounts a terminal anew.
 */

import { signal } from '@preact/signals';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { drawn, focusedTile, narrow, shownTree } from '../state/layout';
import { mayEdit } from '../state/workspaces';
import { TerminalPanel } from '../terminal/TerminalPanel';
import { DividerLine } from './DividerLine';
import { EmptyTile } from './EmptyTile';
import { dragWindow } from './windows';
import { half, place, windowsOf, type Rect } from './place';
import { Tabs } from './Tabs';
import { allTabs, leaves, leafOf, type Side } from './tree';

const GAP = 6;
const TAB_STRIP = 34;
const GRIP = 16;

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
  const placeOf = (id: string) => placed.tiles.find((tile) => tile.id === id);
  const rectOf = (id: string) => placeOf(id)?.rect;
  /** Windows in their order, and the one with the attention above them all. */
  const layerOf = (id: string) => {
    const lifts = [...new Set(placed.tiles.flatMap(({ floats }) => floats ?? []))];
    const lift = placeOf(id)?.floats;
    return lift === undefined ? undefined : lift === placeOf(focusedTile.value)?.floats ? 20 + lifts.length : 10 + lifts.indexOf(lift);
  };
  const several = placed.tiles.length > 1;
  const target = dropTarget.value;
  const targetRect = target && rectOf(target.tile);
  return (
    <div ref={ref} class="tiling">
      {leaves(shown).map((leaf, index) => {
        const rect = rectOf(leaf.id) ?? box;
        const focused = several && leaf.id === focusedTile.value;
        const lift = placeOf(leaf.id)?.floats;
        return (
          <div key={`tile ${leaf.id}`} class={`tile ${focused || !several ? 'focused' : ''} ${several ? '' : 'alone'} ${lift ? 'floating' : ''}`} style={css(rect, layerOf(leaf.id))} role="group" aria-label={lift ? `Window ${index + 1}` : `Tile ${index + 1}`}
            data-tile={leaf.id} onPointerDown={(event) => { focusedTile.value = leaf.id; if (lift) dragWindow(event, lift, box); }}>
            <Tabs leaf={leaf} alone={!several} />
            {leaf.tabs.length === 0 && <EmptyTile leafId={leaf.id} alone={!several} />}
          </div>
        );
      })}
      {allTabs(drawn.value).slice().sort().map((tab) => {
        const home = leafOf(shown, tab);
        const rect = (home && rectOf(home.id)) ?? box;
        return <TerminalPanel key={`panel ${tab}`} tab={tab} visible={home?.active === tab} rect={below(rect)} layer={home && layerOf(home.id)} tile={home?.id ?? ''} />;
      })}
      {!narrow.value && mayEdit.value && placed.dividers.filter((divider) => !divider.floats).map((divider) => <DividerLine key={`divider ${divider.id}`} divider={divider} />)}
      {mayEdit.value && windowsOf(placed).map(({ id, rect, tile }) => (
        <span key={`grip ${id}`} class="window-grip" aria-hidden="true" style={css({ x: rect.x + rect.width - GRIP, y: rect.y + rect.height - GRIP, width: GRIP, height: GRIP }, layerOf(tile))}
          onPointerDown={(event) => dragWindow(event, id, box)} />
      ))}
      {target && targetRect && <div class="drop-target" style={css(half(targetRect, target.zone))} />}
    </div>
  );
}

/** Through the CSSOM, as all styles that a script sets. */
export function css({ x, y, width, height }: Rect, layer?: number) {
  const at = { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` };
  return layer === undefined ? at : { ...at, zIndex: layer };
}

function below(tile: Rect): Rect {
  return { x: tile.x + 1, y: tile.y + TAB_STRIP, width: Math.max(0, tile.width - 2), height: Math.max(0, tile.height - TAB_STRIP - 1) };
}
