import { useEffect } from 'preact/hooks';
import { account } from '../state/account';
import { commandFor } from '../state/commands';
import { matches } from '../state/hotkeys';
import { overlay } from '../state/overlays';
import { questions } from '../state/trust';
import { Toasts } from '../ui/Toasts';
import { Overlays } from './Overlays';
import { SignIn } from './SignIn';
import { Shell } from './Shell';
import { TrustDialog } from './TrustDialog';
import { Waiting } from './Waiting';

export function App() {
  useEffect(listenForKeys, []);
  const question = questions.value[0];
  return (
    <>
      <Screen />
      <Overlays />
      {question && <TrustDialog key={question.question.workerId} waiting={question} />}
      <Toasts />
    </>
  );
}

function Screen() {
  const who = account.value;
  switch (who.state) {
    case 'asking':
      return <Waiting attempt={undefined} />;
    case 'unreachable':
      return <Waiting attempt={who.attempt} />;
    case 'signed-out':
      return <SignIn />;
    case 'signed-in':
      return <Shell userId={who.userId} />;
  }
}

/** Commands win over the terminal, so the listener stands before all others. */
function listenForKeys(): () => void {
  const onKey = (event: KeyboardEvent) => {
    if (account.peek().state !== 'signed-in' || overlay.peek() || questions.peek().length > 0) return;
    const command = commandFor(event, (keys) => matches(event, keys));
    if (!command) return;
    event.preventDefault();
    event.stopPropagation();
    command.run();
  };
  addEventListener('keydown', onKey, true);
  return () => removeEventListener('keydown', onKey, true);
}
