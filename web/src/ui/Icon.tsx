/** An icon from lucide's node lists, drawn as nodes and never as markup. */

import { createElement as h } from 'preact';
import type { IconNode } from 'lucide';

export function Icon({ of, size = 16 }: { of: IconNode; size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor"
      stroke-width="1.9" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      {of.map(([name, attributes]) => h(name as 'path', attributes as object))}
    </svg>
  );
}
