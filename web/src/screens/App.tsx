/** Which screen is shown. The workspace and all that it needs is loaded once somebody is signed in. */

import { signal } from '@preact/signals';
import type { FunctionComponent } from 'preact';
import { useEffect } from 'preact/hooks';
import { SignIn } from '../entry/SignIn';
import { account, hub } from '../state/account';
import { route, type Route } from '../state/route';
import { lazy } from '../ui/Lazy';
import { Toasts } from '../ui/Toasts';
import { Waiting } from './Waiting';

type Workspace = FunctionComponent<{ userId: string }>;

const workspace = signal<Workspace | 'failed' | undefined>(undefined);

const SetUp = lazy(() => import('../entry/SetUp').then((found) => found.SetUp));
const SignUp = lazy(() => import('../entry/SignUp').then((found) => found.SignUp));
const Join = lazy(() => import('../entry/Join').then((found) => found.Join));
const Reset = lazy(() => import('../entry/Reset').then((found) => found.Reset));
const ConfirmEmail = lazy(() => import('../entry/ConfirmEmail').then((found) => found.ConfirmEmail));
const Authorise = lazy(() => import('../entry/Authorise').then((found) => found.Authorise));
const DeviceLogin = lazy(() => import('../entry/DeviceLogin').then((found) => found.DeviceLogin));
const Sees = lazy(() => import('../entry/Sees').then((found) => found.SeesAlone));

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
      return <Outside at={route.value} />;
    case 'signed-in': {
      const alone = who.solo ? null : standsAlone(route.value);
      if (alone) return alone;
      const Loaded = workspace.value;
      if (Loaded === 'failed') return <Waiting problem="A part of the page could not be loaded. Reload it." />;
      return Loaded ? <Loaded userId={who.userId} /> : <Waiting problem={undefined} />;
    }
  }
}

/** For whoever is not signed in. */
function Outside({ at }: { at: Route }) {
  if (hub.value.setUpRequired && at !== 'what-the-hub-sees') return <SetUp />;
  switch (at) {
    case 'sign-up':
      return <SignUp />;
    case 'authorise':
      return <SignIn why="A program wants to act for you. Sign in to see which one and to decide." />;
    case 'device':
      return <SignIn why="Sign in to type the code that a program shows you." />;
    default:
      return standsAlone(at) ?? <SignIn />;
  }
}

/** Pages without the workspace around them, for whoever follows a link. */
function standsAlone(at: Route) {
  switch (at) {
    case 'join':
      return <Join />;
    case 'reset':
      return <Reset />;
    case 'confirm':
      return <ConfirmEmail />;
    case 'authorise':
      return <Authorise />;
    case 'device':
      return <DeviceLogin />;
    case 'what-the-hub-sees':
      return <Sees />;
    default:
      return null;
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
