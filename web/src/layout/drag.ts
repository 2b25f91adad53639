/** Moving a tab by pointer: into another place of a tab list, into a tile, or onto a tile's edge. */

import { drawn, moveTab, narrow, split } from '../state/layout';
import { mayEdit } from '../state/workspaces';
import { terminalFor } from '../terminal/registry';
import { dropZone } from './place';
import { dropTarget } from './Tiling';
import { leafById, leafOf } from './tree';

const STARTS_AFTER_PX = 6;

interface Landing {
  tile: string;
  /** A place in the tab list, or a zone of the tile. */
  at: number | ReturnType<typeof dropZone>;
}

export function dragTab(event: PointerEvent, tab: string): void {
  if (!mayEdit.peek() || event.button !== 0 || event.pointerType === 'touch') return;
  const from = { x: event.clientX, y: event.clientY };
  let landing: Landing | undefined;
  let dragging = false;

  const move = (at: PointerEvent) => {
    dragging ||= Math.hypot(at.clientX - from.x, at.clientY - from.y) > STARTS_AFTER_PX;
    if (!dragging) return;
    document.body.classList.add('dragging');
    landing = landingAt(at, tab);
    dropTarget.value = landing && typeof landing.at === 'string' ? { tile: landing.tile, zone: landing.at } : undefined;
  };
  const finish = (commit: boolean) => {
    removeEventListener('pointermove', move);
    removeEventListener('pointerup', up);
    removeEventListener('pointercancel', cancel);
    removeEventListener('keydown', escape, true);
    document.body.classList.remove('dragging');
    dropTarget.value = undefined;
    if (commit && dragging && landing) land(tab, landing);
  };
  const up = () => finish(true);
  const cancel = () => finish(false);
  const escape = (pressed: KeyboardEvent) => {
    if (pressed.key === 'Escape' && dragging) {
      pressed.stopPropagation();
      finish(false);
    }
  };
  addEventListener('pointermove', move);
  addEventListener('pointerup', up);
  addEventListener('pointercancel', cancel);
  addEventListener('keydown', escape, true);
}

function landingAt(at: PointerEvent, tab: string): Landing | undefined {
  const tiles = Array.from(document.querySelectorAll<HTMLElement>('[data-tile]'));
  // Windows lie above tiles, the one with the attention above all.
  const above = (one: HTMLElement) => Number(one.style.zIndex || 0);
  const tile = tiles.filter((one) => inside(one.getBoundingClientRect(), at)).sort((a, b) => above(b) - above(a))[0];
  const id = tile?.dataset['tile'];
  if (!tile || id === undefined) return undefined;
  const strip = tile.querySelector('.tab-strip');
  if (strip && inside(strip.getBoundingClientRect(), at)) {
    const tabs = Array.from(strip.querySelectorAll<HTMLElement>('[data-tab]'));
    const before = tabs.findIndex((one) => {
      const box = one.getBoundingClientRect();
      return at.clientX < box.left + box.width / 2;
    });
    return { tile: id, at: before < 0 ? tabs.length : before };
  }
  const { x, y, width, height } = tile.getBoundingClientRect();
  const zone = dropZone({ x, y, width, height }, at.clientX, at.clientY);
  const only = leafOf(drawn.peek(), tab)?.id === id && (leafById(drawn.peek(), id)?.tabs.length ?? 0) < 2;
  return only || narrow.peek() ? undefined : { tile: id, at: zone };
}

function land(tab: string, { tile, at }: Landing): void {
  if (typeof at === 'number') moveTab(tab, tile, at);
  else if (at === 'middle') moveTab(tab, tile);
  else split(tile, at, tab);
  requestAnimationFrame(() => terminalFor(tab)?.focus());
}

function inside(box: DOMRect, at: PointerEvent): boolean {
  return at.clientX >= box.left && at.clientX < box.right && at.clientY >= box.top && at.clientY < box.bottom;
}
