import { useEffect } from 'preact/hooks';
import { Tiling } from '../layout/Tiling';
import { drawer } from '../state/overlays';
import { prefs } from '../state/prefs';
import { narrow } from '../state/layout';
import { route } from '../state/route';
import { startWorkspace } from '../state/start';
import { KeyBar } from '../terminal/KeyBar';
import { DeviceBanner } from './DeviceBanner';
import { PAGES } from './Pages';
import { Rail } from './Rail';
import { StatusLine } from './StatusLine';

/** The workspace stays mounted under the settings, so that no terminal is ever drawn anew. */
export function Shell({ userId }: { userId: string }) {
  useEffect(() => startWorkspace(userId), [userId]);
  const Page = PAGES[route.value];
  const rail = narrow.value ? drawer.value : prefs.value.rail;
  return (
    <div class={`shell ${rail ? '' : 'without-rail'}`}>
      <a class="skip" href="#tiles">Skip to the terminals</a>
      {rail && <Rail />}
      {rail && narrow.value && (
        <div class="scrim" aria-hidden="true" onClick={() => (drawer.value = false)} />
      )}
      <main id="tiles" class="middle" tabIndex={-1} aria-label="Terminals" hidden={Page !== undefined} data-region="tiles">
        <h1 class="off-screen">LeapMux workspace</h1>
        <Tiling />
        <KeyBar />
      </main>
      {Page && <Page />}
      <StatusLine />
      <DeviceBanner />
    </div>
  );
}
