/** The line between two tiles: dragged by pointer, moved by arrow keys. */

import { setRatio } from '../state/layout';
import type { Divider } from './place';
import { css } from './Tiling';

const STEP = 0.02;

export function DividerLine({ divider }: { divider: Divider }) {
  const { id, direction, ratio, rect, box } = divider;
  const row = direction === 'row';

  const drag = (event: PointerEvent) => {
    if (event.button !== 0) return;
    event.preventDefault();
    const handle = event.currentTarget as HTMLElement;
    const origin = handle.parentElement?.getBoundingClientRect();
    handle.setPointerCapture(event.pointerId);
    const move = (at: PointerEvent) => {
      const along = row
        ? (at.clientX - (origin?.left ?? 0) - box.x) / box.width
        : (at.clientY - (origin?.top ?? 0) - box.y) / box.height;
      setRatio(id, along);
    };
    handle.addEventListener('pointermove', move);
    handle.addEventListener('lostpointercapture', () => handle.removeEventListener('pointermove', move), { once: true });
  };

  const onKey = (event: KeyboardEvent) => {
    const by = KEYS[row ? 'row' : 'column'][event.key];
    if (by === undefined) return;
    event.preventDefault();
    setRatio(id, typeof by === 'number' ? ratio + by : Number(by));
  };

  return (
    <div class={`divider ${direction}`} style={css(rect)} role="separator" tabIndex={0}
      aria-orientation={row ? 'vertical' : 'horizontal'} aria-valuenow={Math.round(ratio * 100)} aria-valuemin={10} aria-valuemax={90}
      aria-label={row ? 'Width of the tiles' : 'Height of the tiles'}
      // A drag leaves the focus in the terminal.
      onMouseDown={(event) => event.preventDefault()} onPointerDown={drag} onKeyDown={onKey} onDblClick={() => setRatio(id, 0.5)} />
  );
}

/** Numbers move by, texts move to. */
const KEYS: Record<'row' | 'column', Record<string, number | string>> = {
  row: { ArrowLeft: -STEP, ArrowRight: STEP, Home: '0.1', End: '0.9' },
  column: { ArrowUp: -STEP, ArrowDown: STEP, Home: '0.1', End: '0.9' },
};
