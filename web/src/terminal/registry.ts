/** The terminals that are on the page, for commands that act on the one in use. */

import { signal } from '@preact/signals';
import type { TabId } from '../state/layout';

/** What can be asked of a terminal on the page. */
export interface TerminalHandle {
  focus(): void;
  hasSelection(): boolean;
  copy(): void;
  paste(): void;
  find(): void;
  selectAll(): void;
  clear(): void;
  /** Sends bytes as if typed. */
  type(text: string): void;
  /** Ctrl or Alt, held down for the next key (the phone's key bar). */
  hold(modifier: 'ctrl' | 'alt' | null): void;
  /** True when something beyond an untouched shell may be running. */
  busy(): boolean;
}

const handles = signal<ReadonlyMap<TabId, TerminalHandle>>(new Map());

export function register(tab: TabId, handle: TerminalHandle): () => void {
  handles.value = new Map(handles.peek()).set(tab, handle);
  return () => {
    handles.value = new Map([...handles.peek()].filter(([, other]) => other !== handle));
  };
}

export function terminalFor(tab: TabId | null): TerminalHandle | undefined {
  return tab === null ? undefined : handles.value.get(tab);
}
