/** What is asked about one Worker before something is done with it. */

import { useId, useState } from 'preact/hooks';
import type { PinRecord } from '../channel/handle';
import type { Worker } from '../gen/leapmux/v1/workers_pb';
import { channels } from '../state/channels';
import { listMembers } from '../state/organisations';
import { toast } from '../state/toasts';
import { deregisterWorker, renameWorker, transferWorker, workerName } from '../state/workers';
import { Asking as Waiting } from '../ui/Asking';
import { Confirm } from '../ui/Confirm';
import { Copyable } from '../ui/Copyable';
import { Dialog } from '../ui/Dialog';
import { Field } from '../ui/Field';
import { Form } from '../ui/Form';
import { Qr } from '../ui/Qr';
import { displayText } from '../ui/text';
import { useAsked } from '../ui/useAsked';
import { Words } from '../ui/Words';

export interface Asking {
  kind: 'key' | 'rename' | 'transfer' | 'deregister';
  worker: Worker;
}

export function WorkerDialogs({ asking, pin, onClose }: { asking: Asking; pin: PinRecord | undefined; onClose: () => void }) {
  const { kind, worker } = asking;
  switch (kind) {
    case 'key': return pin ? <Fingerprint worker={worker} pin={pin} onClose={onClose} /> : null;
    case 'rename': return <Rename worker={worker} onClose={onClose} />;
    case 'transfer': return <Transfer worker={worker} onClose={onClose} />;
    case 'deregister': return <Deregister worker={worker} onClose={onClose} />;
  }
}

function Fingerprint({ worker, pin, onClose }: { worker: Worker; pin: PinRecord; onClose: () => void }) {
  return (
    <Dialog title={`Key of ${workerName(worker.workerId)}`} onClose={onClose}>
      <p class="large-words"><Words words={pin.words} /></p>
      <p class="hint">The Worker’s own machine shows the same words and the same fingerprint: <code>leapmux worker fingerprint</code>.</p>
      <Qr text={pin.full} label="The full fingerprint as a QR code" />
      <Copyable label="Full fingerprint" text={pin.full} />
      <div class="actions"><button class="primary" data-first onClick={onClose}>Close</button></div>
    </Dialog>
  );
}

function Rename({ worker, onClose }: { worker: Worker; onClose: () => void }) {
  const [name, setName] = useState(displayText(worker.name, 80));
  return (
    <Dialog title="Rename Worker" onClose={onClose}>
      <Form verb="Rename" doing="Renaming…" onCancel={onClose} check={() => (name.trim() === '' ? 'A name is missing.' : undefined)}
        onSubmit={async () => {
          await renameWorker(worker.workerId, name.trim());
          onClose();
        }}>
        <Field label="Name" value={name} onInput={setName} maxLength={80} autofocus plain />
      </Form>
    </Dialog>
  );
}

function Transfer({ worker, onClose }: { worker: Worker; onClose: () => void }) {
  const members = useAsked(() => listMembers(worker.organisationId));
  const others = members.value?.filter((member) => member.userId !== worker.ownerUserId);
  const [to, setTo] = useState('');
  const [given, setGiven] = useState<string>();
  const id = useId();
  if (given !== undefined) return <Transferred worker={worker} userId={given} onClose={onClose} />;
  return (
    <Dialog title={`Transfer ${workerName(worker.workerId)}`} onClose={onClose}>
      <p>At this Hub it belongs to its new owner at once. The Worker itself believes no Hub about that: it refuses the new owner until somebody on its machine runs</p>
      <p><code class="command">{acceptCommand(to === '' ? 'ID' : to)}</code></p>
      <p>and starts it again. After that it no longer knows your devices, and the new owner’s first one is approved on the machine. Transfer it only if you, or they, can get at that machine.</p>
      <Waiting of={members} />
      {others?.length === 0 && <p class="notice">Nobody else is in its organisation. Invite the new owner first, or register the Worker in an organisation of several people.</p>}
      <Form verb="Transfer" doing="Transferring…" danger disabled={!others?.length} onCancel={onClose} check={() => (to === '' ? 'Choose the new owner.' : undefined)}
        onSubmit={async () => {
          await transferWorker(worker.workerId, to);
          setGiven(to);
        }}>
        {others !== undefined && others.length > 0 && (
          <div class="field">
            <label for={id}>New owner</label>
            <select id={id} data-first value={to} onChange={(event) => setTo(event.currentTarget.value)}>
              <option value="">Choose…</option>
              {others.map((one) => <option key={one.userId} value={one.userId}>{displayText(one.username, 40)}</option>)}
            </select>
          </div>
        )}
      </Form>
    </Dialog>
  );
}

/** What is still to be done, and where. */
function Transferred({ worker, userId, onClose }: { worker: Worker; userId: string; onClose: () => void }) {
  return (
    <Dialog title={`${workerName(worker.workerId)} has a new owner at this Hub`} onClose={onClose}>
      <p>Until this is done on its machine, the Worker refuses them:</p>
      <ol class="prose">
        <li><Copyable label="Run this there" text={acceptCommand(userId)} first /></li>
        <li>Start the Worker again.</li>
        <li>When the new owner connects, their page shows four words. Compare them, and run <code class="command">leapmux worker devices approve WORDS</code>.</li>
      </ol>
      <div class="actions"><button class="primary" onClick={onClose}>Done</button></div>
    </Dialog>
  );
}

/** Shown to be pasted: an id of the Hub's is no place for anything else. */
function acceptCommand(userId: string): string {
  return `leapmux worker owner accept --user ${/^[A-Za-z0-9_-]+$/.test(userId) ? userId : 'ID'}`;
}

function Deregister({ worker, onClose }: { worker: Worker; onClose: () => void }) {
  const name = workerName(worker.workerId);
  return (
    <Confirm title={`Deregister ${name}?`} verb="Deregister" doing="Deregistering…" typed={name} onClose={onClose}
      onConfirm={async () => {
        const confirmed = await deregisterWorker(worker.workerId);
        channels().close(worker.workerId);
        await channels().forgetPin(worker.workerId).catch(() => undefined);
        toast(confirmed ? 'Deregistered. The Worker said that it goes.'
          : worker.deregistering ? 'Forgotten.' : 'Deregistered. The Worker is told when it comes back.');
      }}>
      {worker.deregistering ? <p>It was asked to go and has not been back since. The Hub forgets it now: if the machine ever dials again, it is unknown.</p> : <p>Every connection to it ends now, for everybody, and it is no longer in any workspace. To use the machine again, register it anew. If its machine is gone for good, deregister it once more afterwards.</p>}
    </Confirm>
  );
}
