/** Keys that a soft keyboard lacks. Shown where the main pointer is a finger. */

import { currentTab } from '../state/layout';
import { terminalFor } from './registry';
import type { Modifier, NamedKey } from './keys';
import { TerminalSession } from './session';

const NAMED: [NamedKey, string, string][] = [
  ['escape', 'Esc', 'Escape'],
  ['tab', 'Tab', 'Tab'],
];
const AFTER: [NamedKey, string, string][] = [
  ['left', '←', 'Left'],
  ['down', '↓', 'Down'],
  ['up', '↑', 'Up'],
  ['right', '→', 'Right'],
  ['|', '|', 'Pipe'],
  ['~', '~', 'Tilde'],
  ['/', '/', 'Slash'],
];

export function KeyBar() {
  const handle = terminalFor(currentTab.value);
  const session = handle instanceof TerminalSession ? handle : undefined;
  if (!session) return null;
  const key = ([name, text, label]: [NamedKey, string, string]) => (
    <button key={name} aria-label={label} onPointerDown={stay} onClick={() => session.press(name)}>{text}</button>
  );
  const modifier = (name: Modifier, text: string) => (
    <button aria-pressed={session.modifier.value === name} onPointerDown={stay} onClick={() => session.hold(name)}>{text}</button>
  );
  return (
    <div class="key-bar" role="toolbar" aria-label="Terminal keys">
      {NAMED.map(key)}
      {modifier('ctrl', 'Ctrl')}
      {modifier('alt', 'Alt')}
      {AFTER.map(key)}
      <button onPointerDown={stay} onClick={() => session.paste()}>Paste</button>
    </div>
  );
}

/** Keeps the focus, and with it the soft keyboard, in the terminal. */
function stay(event: PointerEvent): void {
  event.preventDefault();
}
