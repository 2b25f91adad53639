/** Whether the browser promised to keep this page's storage, and with it the pinned keys. */

import { signal } from '@preact/signals';

/** Undefined: not known, or the browser has no such promise. */
export const lasting = signal<boolean | undefined>(undefined);

export async function readLasting(): Promise<void> {
  lasting.value = await navigator.storage?.persisted?.().catch(() => undefined);
}

/** May show a question of the browser's own, so it follows a click. */
export async function askForLasting(): Promise<void> {
  lasting.value = await navigator.storage?.persist?.().catch(() => undefined);
}

/** What a person is told when the channel thread could not keep something. */
export function unkept(error: unknown): string {
  const otherKey = (error as { code?: unknown } | undefined)?.code === 9;
  return otherKey
    ? 'Another key is kept for this Worker by now. Compare its words again.'
    : 'The browser’s storage could not be written.';
}
