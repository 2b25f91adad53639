/** What stands where an answer of the Hub will be: that it is asked, or why it is not here. */

import type { Asked } from './useAsked';

export function Asking({ of }: { of: Pick<Asked<unknown>, 'value' | 'problem' | 'again'> }) {
  if (of.problem !== undefined) {
    return <p class="problem" role="alert">{of.problem} <button class="link" onClick={() => void of.again()}>Ask again</button></p>;
  }
  return of.value === undefined ? <p class="hint" role="status">Asking the Hub…</p> : null;
}
