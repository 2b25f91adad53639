/** Appearance, what terminals do, the keys that are pinned here, and the devices. */

import { ArrowLeft } from 'lucide';
import { useEffect, useRef } from 'preact/hooks';
import { account, signOut } from '../state/account';
import { changeFontSize, prefs, setPref, type Prefs, type Theme } from '../state/prefs';
import { go } from '../state/route';
import { Icon } from '../ui/Icon';
import { DeviceSettings } from './DeviceSettings';
import { PinSettings } from './PinSettings';

export function Settings() {
  const back = useRef<HTMLButtonElement>(null);
  useEffect(() => back.current?.focus(), []);
  const who = account.value;
  return (
    <main class="settings" aria-label="Settings" data-region="settings">
      <div class="settings-inner">
        <button ref={back} class="ghost" onClick={() => go('workspace')}><Icon of={ArrowLeft} /> Terminals</button>
        <h1>Settings</h1>
        <Appearance />
        <TerminalSettings />
        <PinSettings />
        <DeviceSettings />
        {who.state === 'signed-in' && (
          <section class="settings-part" aria-labelledby="account-title">
            <h2 id="account-title">Account</h2>
            <p class="muted">
              {who.solo ? 'This is a solo Hub: whoever reaches its port is its admin.' : `Signed in as ${who.username}.`} Hub version {who.version || 'unknown'}.
            </p>
            {!who.solo && <button onClick={() => void signOut()}>Sign out</button>}
          </section>
        )}
      </div>
    </main>
  );
}

function Appearance() {
  const { theme, fontSize } = prefs.value;
  return (
    <section class="settings-part" aria-labelledby="look-title">
      <h2 id="look-title">Appearance</h2>
      <fieldset class="segments">
        <legend>Theme</legend>
        {(['system', 'light', 'dark'] as Theme[]).map((one) => (
          <label key={one}>
            <input type="radio" name="theme" checked={theme === one} onChange={() => setPref('theme', one)} />
            <span>{one}</span>
          </label>
        ))}
      </fieldset>
      <div class="stepper" role="group" aria-label="Text size in terminals">
        <span>Text size in terminals</span>
        <button aria-label="Smaller" onClick={() => changeFontSize(-1)}>−</button>
        <output aria-live="polite">{fontSize} px</output>
        <button aria-label="Larger" onClick={() => changeFontSize(1)}>+</button>
      </div>
    </section>
  );
}

function TerminalSettings() {
  return (
    <section class="settings-part" aria-labelledby="terminal-title">
      <h2 id="terminal-title">Terminals</h2>
      <Switch of="copyOnSelect">Copy text as soon as it is selected</Switch>
      <Switch of="pasteWarning">Ask before pasting several lines</Switch>
      <Switch of="paletteOverShell">Ctrl+K opens the commands even in a terminal, where shells use it to cut a line</Switch>
      <Switch of="raiseContrast">Raise the contrast of colours that programs choose</Switch>
      <Switch of="screenReader">Describe terminal output to screen readers</Switch>
    </section>
  );
}

type Flag = { [K in keyof Prefs]: Prefs[K] extends boolean ? K : never }[keyof Prefs];

function Switch({ of, children }: { of: Flag; children: preact.ComponentChildren }) {
  return (
    <label class="check">
      <input type="checkbox" checked={prefs.value[of]} onChange={(event) => setPref(of, event.currentTarget.checked)} />
      <span>{children}</span>
    </label>
  );
}
