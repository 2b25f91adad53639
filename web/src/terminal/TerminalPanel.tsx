/** One terminal on the page: its screen, and thin bars over it when there is something to say. */

import { Eye } from 'lucide';
import { useEffect, useRef, useState } from 'preact/hooks';
import { panelId, tabElementId } from '../layout/ids';
import type { Rect } from '../layout/place';
import { css } from '../layout/Tiling';
import { statuses } from '../state/channels';
import { focusedTile, tabParts, type TabId } from '../state/layout';
import { overlay } from '../state/overlays';
import { route } from '../state/route';
import { isOver, restartTerminal } from '../state/terminals';
import { questions } from '../state/trust';
import { WorkerNotice } from '../screens/WorkerNotice';
import { isViewOnly } from '../state/workspaces';
import { Icon } from '../ui/Icon';
import { FindBar } from './FindBar';
import { PasteDialog } from './PasteDialog';
import { register } from './registry';
import { TerminalBars } from './TerminalBars';
import { TerminalSession } from './session';

interface Props {
  tab: TabId;
  tile: string;
  visible: boolean;
  rect: Rect;
  /** Above others, for a window. */
  layer: number | undefined;
}

export function TerminalPanel({ tab, tile, visible, rect, layer }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const [session, setSession] = useState<TerminalSession>();
  // A screen is made when it is looked at for the first time, and stays from then on.
  const wanted = useRef(false);
  wanted.current ||= visible;
  useEffect(() => {
    if (!host.current || !wanted.current) return undefined;
    const started = new TerminalSession(tab, host.current, () => restartOnEnter(tab));
    const unregister = register(tab, started);
    setSession(started);
    void started.start();
    return () => {
      unregister();
      started.dispose();
    };
  }, [tab, wanted.current]);

  const inUse = visible && tile === focusedTile.value && route.value === 'workspace';
  const phase = session?.phase.value;
  useEffect(() => {
    if (inUse && session && phase !== 'loading' && mayTakeFocus()) session.focus();
  }, [inUse, session, phase === 'loading']);

  const drawn = session?.drawn.value ?? false;
  return (
    <div id={panelId(tab)} class={`panel ${phase === 'held' ? 'held' : ''}`} role="tabpanel" aria-labelledby={tabElementId(tab)} style={css(rect, layer)} hidden={!visible}
      onPointerDown={() => (focusedTile.value = tile)} onFocusCapture={() => {
        focusedTile.value = tile;
        session?.takeSize();
      }}
      onPasteCapture={(event) => {
        if (!(event.target as Element).closest('.terminal-host')) return;
        event.preventDefault();
        event.stopPropagation();
        session?.offerPaste(event.clipboardData?.getData('text/plain') ?? '');
      }}>
      {session && <TerminalBars tab={tab} session={session} />}
      <div ref={host} class="terminal-host" />
      {isViewOnly(tabParts(tab).workerId) && <span class="view-only"><Icon of={Eye} size={13} /> View only</span>}
      {!drawn && <Placeholder tab={tab} />}
      {session?.finding.value && <FindBar session={session} />}
      {session?.pasting.value !== undefined && <PasteDialog text={session.pasting.value} onAnswer={(accept) => session.answerPaste(accept)} />}
    </div>
  );
}

/** Until the first screen has come: why it has not. */
function Placeholder({ tab }: { tab: TabId }) {
  const { workerId } = tabParts(tab);
  const ready = statuses.value.get(workerId)?.state === 'ready';
  return <div class="empty-tile over">{ready ? null : <WorkerNotice workerId={workerId} />}</div>;
}

function restartOnEnter(tab: TabId): boolean {
  if (!isOver(tab)) return false;
  void restartTerminal(tab);
  return true;
}

/** A terminal takes the focus unless a person is using something else on purpose. */
function mayTakeFocus(): boolean {
  if (overlay.peek() || questions.peek().length > 0) return false;
  const active = document.activeElement;
  return !active?.closest('[role="tablist"], .divider, dialog, .banner, .find-bar, [popover]');
}
