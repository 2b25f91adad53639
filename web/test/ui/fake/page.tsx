// What main.tsx of the page does, with a Hub and a thread that are not there.
import { render } from 'preact';
import { installStyleShim } from '../../../src/csp';
import { App } from '../../../src/screens/App';
import { whoAmI } from '../../../src/state/account';
import { useThread } from '../../../src/state/channels';
import { followPrefs } from '../../../src/state/prefs';
import { askForTrust } from '../../../src/state/trust';
import '../../../src/styles/tokens.css';
import '../../../src/styles/app.css';
import '../../../src/styles/workspace.css';
import '../../../src/styles/dialogs.css';
import '../../../src/styles/settings.css';
import '../../../src/styles/workers.css';
import '../../../src/styles/people.css';
import '../../../src/styles/accounts.css';
import { fakeHub, fakeThread, type Scene } from './scenes';

export function start(scene: Scene): void {
  fakeHub(scene);
  installStyleShim(document);
  followPrefs();
  useThread(() => fakeThread(scene, askForTrust));
  void whoAmI();
  const root = document.getElementById('app');
  if (root) render(<App />, root);
}
