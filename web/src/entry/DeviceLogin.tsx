/** A program somewhere shows a code; whoever types it here decides whether that program may act for them. */

import { useState } from 'preact/hooks';
import type { DescribeDeviceLoginResponse } from '../gen/leapmux/v1/tokens_pb';
import { account } from '../state/account';
import { deviceCode } from '../state/names';
import { decideDevice, describeDevice } from '../state/programs';
import { Field } from '../ui/Field';
import { Form } from '../ui/Form';
import { displayText } from '../ui/text';
import { useSeconds } from '../ui/useSubmit';
import { useTitle } from '../ui/useTitle';
import { lasting } from '../hub/refusals';
import { Card, GoTo } from './Card';

const GONE = { not_found: 'Nothing waits with this code. Check it, or start the login anew: codes are good for some minutes.' };
const WORDS = { ...GONE, failed_precondition: GONE.not_found, invalid_argument: GONE.not_found };

export function DeviceLogin() {
  const [code, setCode] = useState('');
  const [asks, setAsks] = useState<DescribeDeviceLoginResponse>();
  const [done, setDone] = useState<'approved' | 'denied'>();
  useTitle('Approve a program');
  if (done) {
    return (
      <Card lead={done === 'approved' ? 'Approved.' : 'Denied.'}>
        <p role="status">{done === 'approved' ? 'The program goes on by itself within seconds.' : 'The program is told so. It cannot act for you.'}</p>
        <div class="card-foot"><GoTo place="workspace">Go to the Hub</GoTo></div>
      </Card>
    );
  }
  if (asks) {
    return <Decide asks={asks} code={code} onDone={setDone} onOther={() => setAsks(undefined)} />;
  }
  const check = () => (code.length === 9 ? undefined : 'The code has eight characters, like ABCD-EFGH.');
  return (
    <Card lead="A program that asks you to sign in shows a code. Type it here.">
      <Form verb="Go on" doing="Asking…" check={check} words={WORDS} onSubmit={async () => setAsks(await describeDevice(code))}>
        <Field label="Code" value={code} onInput={(text) => setCode(deviceCode(text))} placeholder="XXXX-XXXX" plain autofocus again
          hint="Only a code that a program of yours shows, never one that somebody sent you." />
      </Form>
      <div class="card-foot"><GoTo place="workspace">Go to the Hub</GoTo></div>
    </Card>
  );
}

interface DecideProps {
  asks: DescribeDeviceLoginResponse;
  code: string;
  onDone: (how: 'approved' | 'denied') => void;
  onOther: () => void;
}

function Decide({ asks, code, onDone, onOther }: DecideProps) {
  const left = useSeconds(Number(asks.expiresUnixMs));
  const who = account.value;
  const decide = async (approve: boolean) => {
    await decideDevice(code, approve);
    onDone(approve ? 'approved' : 'denied');
  };
  return (
    <Card lead={<>A program asks to act as <strong>{who.state === 'signed-in' ? who.username : ''}</strong> at this Hub.</>}>
      <dl class="facts boxed">
        <div><dt>Program</dt><dd><strong>{displayText(asks.client, 60) || 'unnamed'}</strong> <span class="hint">says of itself</span></dd></div>
        <div><dt>Started from</dt><dd><code>{displayText(asks.address, 60) || 'unknown'}</code></dd></div>
        <div><dt>Code</dt><dd><code>{code}</code></dd></div>
        <div><dt>It can then</dt><dd>do at the Hub what you can, except change how you sign in, until you revoke it in the settings</dd></div>
      </dl>
      <p class="notice warn">Approve it only if the code is on a screen of yours and you know this address.</p>
      <Form verb="Approve" doing="Approving…" words={WORDS} disabled={left === 0} onSubmit={() => decide(true)}>
        <Deny onDeny={() => decide(false)} />
      </Form>
      <p class="hint">{left > 0 ? `Good for ${lasting(left)}.` : 'The code has run out. Start the login anew.'}</p>
      <div class="card-foot"><button type="button" class="link" onClick={onOther}>Another code</button></div>
    </Card>
  );
}

function Deny({ onDeny }: { onDeny: () => Promise<void> }) {
  const [failed, setFailed] = useState(false);
  return (
    <>
      <button type="button" onClick={() => void onDeny().catch(() => setFailed(true))}>Deny</button>
      {failed && <p class="problem" role="alert">The Hub did not take the answer. Without one the code runs out by itself.</p>}
    </>
  );
}
