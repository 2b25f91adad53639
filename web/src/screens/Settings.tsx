/** Everything that a person can set: of this browser, and of their account at the Hub. */

import { account } from '../state/account';
import { changeFontSize, prefs, setPref, type Prefs, type Theme } from '../state/prefs';
import { section } from '../state/route';
import { lazy } from '../ui/Lazy';
import { Places, type Place } from '../ui/Places';
import { OwnDevices } from '../workspaces/OwnDevices';
import { DeviceSettings } from './DeviceSettings';
import { PinSettings } from './PinSettings';

const Account = lazy(() => import('../account/Account').then((found) => found.Account));
const Logins = lazy(() => import('../account/Logins').then((found) => found.Logins));
const Tokens = lazy(() => import('../account/Tokens').then((found) => found.Tokens));
const Sees = lazy(() => import('../entry/Sees').then((found) => found.Sees));

const BROWSER: Place = { section: '', name: 'This browser', show: () => <Browser /> };
const HUB: Place = { section: 'what-the-hub-sees', name: 'What the Hub sees', show: () => <Sees /> };
const PERSON: Place[] = [
  { section: 'account', name: 'Account', show: () => <Account /> },
  { section: 'logins', name: 'Logins', show: () => <Logins /> },
  { section: 'tokens', name: 'API tokens', show: () => <Tokens /> },
];

export function Settings() {
  const who = account.value;
  const solo = who.state === 'signed-in' && who.solo;
  const places = solo ? [BROWSER, HUB] : [BROWSER, ...PERSON, HUB];
  return <Places title="Settings" route="settings" places={places} at={section.value} />;
}

function Browser() {
  const who = account.value;
  return (
    <>
      <Appearance />
      <TerminalSettings />
      <PinSettings />
      <DeviceSettings />
      {who.state === 'signed-in' && !who.solo && <OwnDevices />}
      {who.state === 'signed-in' && who.solo && (
        <section class="settings-part" aria-labelledby="account-title">
          <h2 id="account-title">Account</h2>
          <p class="muted">This is a solo Hub: whoever reaches its port is its admin. Hub version {who.version || 'unknown'}.</p>
        </section>
      )}
    </>
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
