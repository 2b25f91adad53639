/** Which screen is shown. The workspace and all that it needs is loaded once somebody is signed in. */

import { signal } from '@preact/signals';
import type { FunctionComponent } from 'preact';
import { useEffect } from 'preact/hooks';
import { account } from '../state/account';
import { Toasts } from '../ui/Toasts';
import { SignIn } from './SignIn';
import { Waiting } from './Waiting';

type Workspace = FunctionComponent<{ userId: string }>;

const workspace = signal<Workspace | 'failed' | undefined>(undefined);

export function App() {
  return (
    <>
      <Screen />
      <Toasts />
    </>
  );
}

function Screen() {
  const who = account.value;
  useEffect(() => {
    if (who.state === 'signed-in') void load();
  }, [who.state]);
  switch (who.state) {
    case 'asking':
      return <Waiting problem={undefined} />;
    case 'unreachable':
      return <Waiting problem="The Hub cannot be reached. This page tries again by itself." />;
    case 'signed-out':
      return <SignIn />;
    case 'signed-in': {
      const Loaded = workspace.value;
      if (Loaded === 'failed') return <Waiting problem="A part of the page could not be loaded. Reload it." />;
      return Loaded ? <Loaded userId={who.userId} /> : <Waiting problem={undefined} />;
    }
  }
}

async function load(): Promise<void> {
  try {
    const { Workspace } = await import('./Workspace');
    workspace.value = Workspace;
  } catch {
    workspace.value = 'failed';
  }
}
