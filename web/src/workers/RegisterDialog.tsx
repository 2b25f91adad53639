/** Registering a Worker: one command, and what becomes of it. */

import { Check, Circle, Copy, LoaderCircle, TriangleAlert } from 'lucide';
import { useEffect, useId, useState } from 'preact/hooks';
import { account } from '../state/account';
import { organisations, personal } from '../state/organisations';
import { Registration, type Wish } from '../state/registration';
import { toast } from '../state/toasts';
import { workerName } from '../state/workers';
import { writeClipboard } from '../terminal/clipboard';
import { Dialog } from '../ui/Dialog';
import { Field } from '../ui/Field';
import { Form } from '../ui/Form';
import { Icon } from '../ui/Icon';
import { Qr } from '../ui/Qr';
import { displayText } from '../ui/text';
import { openTerminalOn } from './opening';

export function RegisterDialog({ onClose }: { onClose: () => void }) {
  const [registration, setRegistration] = useState<Registration>();
  const [leaving, setLeaving] = useState(false);
  useEffect(() => () => void registration?.close().catch(() => undefined), [registration]);
  const unmet = registration?.phase.value === 'waiting';
  const leave = () => (unmet && !leaving ? setLeaving(true) : onClose());
  return (
    <Dialog title="Register a Worker" kind="middle" onClose={leave}>
      {!registration && <Wishes onClose={onClose} onBegun={setRegistration} />}
      {registration && leaving && unmet && <Leaving onStay={() => setLeaving(false)} onLeave={() => { onClose(); toast('The key was destroyed.'); }} />}
      {registration && !(leaving && unmet) && <Running registration={registration} onLeave={leave} onAnew={() => setRegistration(undefined)} onClose={onClose} />}
    </Dialog>
  );
}

function Wishes({ onClose, onBegun }: { onClose: () => void; onBegun: (begun: Registration) => void }) {
  const [name, setName] = useState('');
  const [organisationId, setOrganisation] = useState('');
  const [mode, setMode] = useState<Wish['mode']>('post-quantum');
  const id = useId();
  const who = account.value;
  const teams = organisations.value?.filter((one) => !one.personal) ?? [];
  return (
    <Form verb="Make the command" doing="Making…" onCancel={onClose}
      words={{ resource_exhausted: 'The organisation has as many Workers as it may have.', permission_denied: 'You may not register Workers in this organisation.' }}
      onSubmit={async () => {
        if (who.state === 'signed-in') onBegun(await Registration.begin({ userId: who.userId, name: name.trim(), organisationId, mode }));
      }}>
      <Field label="Name" value={name} onInput={setName} maxLength={80} autofocus plain hint="What you call the machine. Its host name, if you leave it empty." />
      {teams.length > 0 && (
        <div class="field">
          <label for={id}>Organisation</label>
          <select id={id} value={organisationId} onChange={(event) => setOrganisation(event.currentTarget.value)}>
            <option value="">{personal.value ? `${displayText(personal.value.slug, 40)} (personal)` : 'Personal'}</option>
            {teams.map((one) => <option key={one.organisationId} value={one.organisationId}>{displayText(one.name, 60)}</option>)}
          </select>
          <p class="hint">Workspaces of this organisation can use it once you attach it there.</p>
        </div>
      )}
      <details>
        <summary>Encryption</summary>
        <fieldset class="choices">
          <legend class="off-screen">Encryption</legend>
          {(['post-quantum', 'classic'] as const).map((one) => (
            <label key={one} class="check">
              <input type="radio" name="mode" checked={mode === one} onChange={() => setMode(one)} />
              <span>{one === 'post-quantum' ? 'Post-quantum hybrid: holds against computers that do not exist yet. The usual.' : 'Classic: for machines too slow for the other.'}</span>
            </label>
          ))}
        </fieldset>
      </details>
    </Form>
  );
}

function Leaving({ onStay, onLeave }: { onStay: () => void; onLeave: () => void }) {
  return (
    <>
      <p class="notice warn" role="alert">Closing destroys the key: the command no longer works, wherever it was copied to.</p>
      <div class="actions">
        <button data-first autofocus onClick={onStay}>Keep it open</button>
        <button class="danger" onClick={onLeave}>Close and destroy the key</button>
      </div>
    </>
  );
}

interface RunningProps {
  registration: Registration;
  onLeave: () => void;
  onAnew: () => void;
  onClose: () => void;
}

function Running({ registration, onLeave, onAnew, onClose }: RunningProps) {
  const phase = registration.phase.value;
  const workerId = registration.workerId.value;
  const proof = registration.proof.value;
  if (phase === 'expired') {
    return (
      <>
        <p class="notice warn" role="alert">The key has expired: the Hub could not be reached to extend it. Make another command.</p>
        <div class="actions"><button onClick={onClose}>Close</button><button class="primary" data-first onClick={onAnew}>Make another</button></div>
      </>
    );
  }
  return (
    <>
      {phase === 'waiting' && <Command registration={registration} />}
      <ol class="steps" aria-label="Steps">
        <Step done={registration.copied.value || workerId !== undefined} active>Command copied</Step>
        <Step done={workerId !== undefined} active={registration.copied.value}>{workerId ? `Worker connected: ${workerName(workerId)}` : 'Worker connected'}</Step>
        <Step done={proof === 'verified'} active={workerId !== undefined} failed={proof === 'wrong' || proof === 'unproved'}>Key verified</Step>
      </ol>
      <div role="status">
        {proof === 'verified' && <p class="notice good">The Worker and this browser have proved their keys to each other with a secret that the Hub never saw. There is nothing to compare.</p>}
        {proof === 'wrong' && <p class="notice danger">The key that the Hub offers is not the one of the Worker that ran your command. Nothing is sent to it. Do not trust this Hub; ask whoever runs it.</p>}
        {proof === 'unproved' && <p class="notice warn">The Worker is connected, but its key was pinned before it was proved. Compare its words on the Workers page.</p>}
      </div>
      <div class="actions">
        {workerId === undefined ? <button onClick={onLeave}>Close</button> : (
          <>
            <button onClick={onClose}>Done</button>
            {proof === 'verified' && <button class="primary" data-first onClick={() => { onClose(); openTerminalOn(workerId, true); }}>Open terminal</button>}
          </>
        )}
      </div>
    </>
  );
}

function Command({ registration }: { registration: Registration }) {
  const { command, copied } = registration;
  const [failed, setFailed] = useState(false);
  const copy = async () => {
    if (await writeClipboard(command)) copied.value = true;
    else setFailed(true);
  };
  return (
    <>
      <p>Run this on the machine that becomes the Worker:</p>
      <pre class="command-block" tabIndex={0} aria-label="The command" onCopy={() => { copied.value = true; }}>{command}</pre>
      <div class="command-foot">
        <button class="primary" data-first onClick={() => void copy()}><Icon of={copied.value ? Check : Copy} /> {copied.value ? 'Copied' : 'Copy'}</button>
        <Left registration={registration} />
      </div>
      {failed && <p class="hint" role="status">The browser did not allow copying. Select the command and copy it with the keyboard.</p>}
      <p class="hint">Whoever has the command becomes your Worker. It works once, and only while this dialog is open.</p>
      <details>
        <summary>As a QR code</summary>
        <Qr text={command} label="The command as a QR code" />
      </details>
    </>
  );
}

/** Not read out each second. */
function Left({ registration }: { registration: Registration }) {
  const [now, setNow] = useState(performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 500);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.ceil((registration.deadline.value - now) / 1000));
  return <span class="muted countdown">Good for {Math.floor(seconds / 60)}:{String(seconds % 60).padStart(2, '0')}, extended while this is open</span>;
}

function Step({ done, active, failed, children }: { done: boolean; active?: boolean; failed?: boolean; children: string }) {
  const state = failed ? 'failed' : done ? 'done' : active ? 'active' : 'ahead';
  const said = { failed: 'failed', done: 'done', active: 'waiting', ahead: 'not yet' }[state];
  return (
    <li class={`step ${state}`}>
      {failed ? <Icon of={TriangleAlert} /> : done ? <Icon of={Check} /> : <Icon of={active ? LoaderCircle : Circle} />}
      <span>{children}</span><span class="off-screen">: {said}</span>
    </li>
  );
}
