/** Moving a window by its strip, and resizing it by its corner. */

import { setWindow, tree } from '../state/layout';
import { mayEdit } from '../state/workspaces';
import type { Rect } from './place';
import type { Float, Tree } from './tree';

export function dragWindow(event: PointerEvent, splitId: string, box: Rect): void {
  const target = event.target as Element;
  const sizes = target.closest('.window-grip') !== null;
  const moves = target.closest('.tab-strip') !== null && target.closest('button') === null;
  const from = floatAt(tree.peek(), splitId);
  if (!from || !mayEdit.peek() || event.button !== 0 || !(sizes || moves)) return;
  event.preventDefault();
  const start = { x: event.clientX, y: event.clientY };
  const move = (at: PointerEvent) => {
    const [dx, dy] = [(at.clientX - start.x) / Math.max(1, box.width), (at.clientY - start.y) / Math.max(1, box.height)];
    setWindow(splitId, sizes ? { ...from, width: from.width + dx, height: from.height + dy } : { ...from, x: from.x + dx, y: from.y + dy });
  };
  const end = () => {
    removeEventListener('pointermove', move);
    removeEventListener('pointerup', end);
    removeEventListener('pointercancel', end);
    document.body.classList.remove('dragging');
  };
  document.body.classList.add('dragging');
  addEventListener('pointermove', move);
  addEventListener('pointerup', end);
  addEventListener('pointercancel', end);
}

function floatAt(node: Tree, splitId: string): Float | undefined {
  if (node.kind === 'leaf') return undefined;
  return node.id === splitId ? node.float : floatAt(node.first, splitId) ?? floatAt(node.second, splitId);
}
