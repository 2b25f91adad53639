/** The frame of every page that stands alone: a name, a sentence, and what to do. */

import type { ComponentChildren } from 'preact';
import { go, type Route } from '../state/route';

interface Props {
  lead?: ComponentChildren;
  wide?: boolean;
  children: ComponentChildren;
}

export function Card({ lead, wide, children }: Props) {
  return (
    <main class="center">
      <div class={`card entry ${wide ? 'wide' : ''}`}>
        <h1 class="brand large">LeapMux</h1>
        {lead !== undefined && <p class="muted">{lead}</p>}
        {children}
        <Insecure />
      </div>
    </main>
  );
}

/** A link that keeps the page. */
export function GoTo({ place, children }: { place: Route; children: ComponentChildren }) {
  const open = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    go(place);
  };
  return <a href={place === 'workspace' ? '/' : `/${place}`} onClick={open}>{children}</a>;
}

/** Loopback counts as secure with browsers, so this shows where it matters. */
function Insecure() {
  if (window.isSecureContext) return null;
  return (
    <p class="notice warn">
      This page came over plain http. Anyone on the network between you and the Hub can read what you type here
      and change this page. Ask for an https address.
    </p>
  );
}
