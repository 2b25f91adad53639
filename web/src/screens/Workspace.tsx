/** Everything that a signed-in person sees, with the dialogs over it and the keys that drive it. */

import { useEffect } from 'preact/hooks';
import { commandFor } from '../state/commands';
import { matches } from '../state/hotkeys';
import { currentTab } from '../state/layout';
import { overlay } from '../state/overlays';
import { route } from '../state/route';
import { questions } from '../state/trust';
import { terminalFor } from '../terminal/registry';
import { Overlays } from './Overlays';
import { Shell } from './Shell';
import { TrustDialog } from './TrustDialog';

export function Workspace({ userId }: { userId: string }) {
  useEffect(listenForKeys, []);
  const question = questions.value[0];
  return (
    <>
      <Shell userId={userId} />
      <Overlays />
      {question && <TrustDialog key={question.id} waiting={question} />}
    </>
  );
}

/** Not what moves the focus or is the browser's own, such as its zoom. */
function isText(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey) return /^[a-z]$/i.test(event.key);
  return !['Tab', 'Escape', 'Shift', 'Control', 'Alt', 'Meta'].includes(event.key);
}

/** Commands win over the terminal, so the listener stands before all others. */
function listenForKeys(): () => void {
  const onKey = (event: KeyboardEvent) => {
    if (overlay.peek() || questions.peek().length > 0 || document.querySelector('dialog[open]')) return;
    if (isText(event) && document.activeElement === document.body && route.peek() === 'workspace') {
      // A click beside everything took the focus away; what is typed is meant for the terminal.
      terminalFor(currentTab.peek())?.focus();
    }
    const command = commandFor(event, (keys) => matches(event, keys));
    if (!command) return;
    event.preventDefault();
    event.stopPropagation();
    command.run();
  };
  addEventListener('keydown', onKey, true);
  return () => removeEventListener('keydown', onKey, true);
}
