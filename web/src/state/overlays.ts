/** Which dialog is open. At most one; the trust question stands above it. */

import { signal } from '@preact/signals';
import type { Target } from '../terminal/links';
import type { TabId } from './layout';

export type Overlay =
  | { kind: 'palette' }
  | { kind: 'keys' }
  | { kind: 'close-terminal'; tab: TabId }
  | { kind: 'rename'; tab: TabId }
  | { kind: 'link'; target: Target }
  | { kind: 'new-workspace' | 'rename-workspace' | 'transfer-workspace' | 'delete-workspace' | 'sharing'; workspaceId: string }
  | { kind: 'attach'; workspaceId: string; workerId: string; then: () => void };

export const overlay = signal<Overlay | undefined>(undefined);
/** The list of Workers on a narrow window, where it covers the terminal. */
export const drawer = signal(false);

export function show(next: Overlay): void {
  overlay.value = next;
}

export function dismiss(): void {
  overlay.value = undefined;
}

/** After a choice in it. */
export function closeDrawer(): void {
  drawer.value = false;
}
