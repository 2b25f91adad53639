/** One line at the foot: each Worker's channel, and its words on a click. */

import { Command as CommandIcon, Lock, LockOpen, Menu } from 'lucide';
import { useEffect, useRef, useState } from 'preact/hooks';
import { statuses } from '../state/channels';
import { narrow } from '../state/layout';
import { drawer, show } from '../state/overlays';
import { speak } from '../state/status';
import { workerName } from '../state/workers';
import { Icon } from '../ui/Icon';
import { ChannelDetails } from './ChannelDetails';
import type { ChannelStatus } from '../channel/handle';

export function StatusLine() {
  const all = [...statuses.value.values()];
  return (
    <footer class="status-line" aria-label="Connections" data-region="status">
      {narrow.value && (
        <button class="status-button" aria-label="Workers and terminals" aria-expanded={drawer.value} onClick={() => (drawer.value = !drawer.value)}>
          <Icon of={Menu} size={15} />
        </button>
      )}
      {all.map((status) => <StatusItem key={status.workerId} status={status} />)}
      <span class="spring" />
      <button class="status-button" onClick={() => show({ kind: 'palette' })} aria-label="All commands">
        <Icon of={CommandIcon} size={13} /><span class="wide-only">Commands</span>
      </button>
      <LiveRegion all={all} />
    </footer>
  );
}

function StatusItem({ status }: { status: ChannelStatus }) {
  const button = useRef<HTMLButtonElement>(null);
  const card = useRef<HTMLDivElement>(null);
  const now = useNow(status.retryAt !== undefined && status.state === 'reconnecting');
  const state = speak(status, now);
  const name = workerName(status.workerId);
  const id = `channel-${status.workerId}`;
  const toggle = () => {
    const at = button.current?.getBoundingClientRect();
    card.current?.style.setProperty('--at', `${Math.round(at?.left ?? 8)}px`);
    card.current?.togglePopover();
  };
  return (
    <>
      <button ref={button} class={`status-button ${state.tone}`} aria-haspopup="dialog" aria-controls={id} onClick={toggle}>
        <Icon of={state.tone === 'good' ? Lock : LockOpen} size={13} />
        <span class="status-name">{name}</span>
        <span class="status-short">{state.short}</span>
        {status.state === 'ready' && status.rttMs !== undefined && <span class="latency">{Math.round(status.rttMs)} ms</span>}
      </button>
      <div ref={card} id={id} popover="auto" class="popover-card" role="dialog" aria-label={`Connection to ${name}`}>
        <ChannelDetails status={status} state={state} name={name} onReview={() => card.current?.hidePopover()} />
      </div>
    </>
  );
}

/** Says each change of state once, without the counting seconds. */
function LiveRegion({ all }: { all: ChannelStatus[] }) {
  const text = all.map((status) => `${workerName(status.workerId)}: ${speak(status, Infinity).short}`).join('. ');
  return <div class="off-screen" role="status" aria-live="polite">{text}</div>;
}

/** The time, each second, while it is wanted. */
export function useNow(wanted: boolean): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!wanted) return undefined;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [wanted]);
  return now;
}
