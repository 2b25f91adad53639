/** Short messages that leave by themselves. */

import { signal } from '@preact/signals';

export interface Toast {
  id: number;
  text: string;
  tone: 'plain' | 'danger';
}

const SHOWN_MS = 3_500;
const AT_MOST = 4;

export const toasts = signal<Toast[]>([]);
let nextId = 1;

export function toast(text: string, tone: Toast['tone'] = 'plain'): void {
  const id = nextId++;
  toasts.value = [...toasts.value.filter((other) => other.text !== text), { id, text, tone }].slice(
    -AT_MOST,
  );
  setTimeout(
    () => {
      toasts.value = toasts.value.filter((other) => other.id !== id);
    },
    tone === 'danger' ? SHOWN_MS * 2 : SHOWN_MS,
  );
}
