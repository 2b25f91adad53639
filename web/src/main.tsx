/** Boot: the style shim, preferences, the channel thread, and the page. */

import { render } from 'preact';
import threadUrl from './channel/thread.ts?worker&url';
import { startChannelThread } from './channel/handle';
import { installStyleShim, trustWorkerUrl } from './csp';
import { App } from './screens/App';
import { whoAmI } from './state/account';
import { useThread } from './state/channels';
import { followPrefs } from './state/prefs';
import { askForTrust } from './state/trust';
import './styles/tokens.css';
import './styles/app.css';
import './styles/workspace.css';
import './styles/dialogs.css';
import './styles/settings.css';
import './styles/accounts.css';
import './styles/workers.css';
import './styles/people.css';

installStyleShim(document);
followPrefs();
useThread(() => startChannelThread({ workerUrl: trustWorkerUrl(threadUrl), trust: askForTrust }));
void whoAmI();

const root = document.getElementById('app');
if (root) render(<App />, root);
