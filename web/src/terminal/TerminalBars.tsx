import { TerminalState } from '../gen/leapmux/v1/services_pb';
import { channels, statuses } from '../state/channels';
import { tabParts, type TabId } from '../state/layout';
import { reviewable, speak } from '../state/status';
import { isGone, restartTerminal, summaryOf } from '../state/terminals';
import { useNow } from '../screens/StatusLine';
import type { TerminalSession } from './session';

/**
 * At most one thin bar: the most pressing thing. It lies on the half of the screen where the
 * cursor is not, and the screen under it stays as it was.
 */
export function TerminalBars({ tab, session }: { tab: TabId; session: TerminalSession }) {
  const status = statuses.value.get(tabParts(tab).workerId);
  const now = useNow(status?.state === 'reconnecting');
  const summary = summaryOf(tab);
  const place = session.cursorIsHigh() ? 'foot' : '';
  if (session.drawn.value && status && status.state !== 'ready') {
    const state = speak(status, now);
    return <div class={`bar ${place} ${state.tone}`} data-bar="connection">{state.short}<span class="bar-more">{state.long}</span>{reviewable(status) && <button class="link" onClick={() => channels().review(status.workerId)}>Review</button>}</div>;
  }
  if (summary?.state === TerminalState.ENDED) {
    return (
      <div class={`bar ${place}`} data-bar="ended" role="status">
        Ended with code {summary.exitCode}. Press Enter to restart.
        <button class="link" onClick={() => void restartTerminal(tab)}>Restart</button>
      </div>
    );
  }
  if (summary?.state === TerminalState.LOST) {
    return (
      <div class={`bar ${place}`} data-bar="lost" role="status">
        The Worker restarted under this terminal. This is its last screen.
        <button class="link" onClick={() => void restartTerminal(tab)}>New terminal</button>
      </div>
    );
  }
  if (isGone(tab)) {
    return (
      <div class={`bar ${place}`} data-bar="gone" role="status">
        The Worker no longer has this terminal. This is its last screen.
        <button class="link" onClick={() => void restartTerminal(tab)}>New terminal</button>
      </div>
    );
  }
  if (session.phase.value === 'refused') {
    return <div class={`bar ${place} bad`} data-bar="refused" role="status">The Worker does not let you see this terminal any more. What it showed last is not followed.</div>;
  }
  const foreign = session.foreignSize.value;
  if (foreign) {
    return (
      <div class={`bar ${place}`} data-bar="size">
        Another window made this terminal {foreign.columns} × {foreign.rows}.
        <button class="link" onClick={() => session.focus()}>Fit it here</button>
      </div>
    );
  }
  return null;
}
