/** A terminal that may be looked at: the Worker refuses what is typed, and the page says so instead. */

import { tabParts, type TabId } from '../state/layout';
import { toast } from '../state/toasts';
import { isViewOnly } from '../state/workspaces';

/** Not with every key. */
const SAID_FOR_MS = 5_000;

export class ViewOnly {
  private saidAt = -Infinity;

  constructor(private readonly tab: TabId) {}

  get holds(): boolean {
    return isViewOnly(tabParts(this.tab).workerId);
  }

  refuse(): void {
    const now = performance.now();
    if (now - this.saidAt < SAID_FOR_MS) return;
    this.saidAt = now;
    toast('View only: you may look at this terminal and not type in it.');
  }
}
