/** One Worker: what is known of it and what can be done with it. */

import { Monitor, Server, ShieldCheck, ShieldQuestion } from 'lucide';
import type { PinRecord } from '../channel/handle';
import { OrganisationRole } from '../gen/leapmux/v1/organisations_pb';
import type { Worker } from '../gen/leapmux/v1/workers_pb';
import { EncryptionMode } from '../gen/leapmux/v1/worker_pb';
import { channels } from '../state/channels';
import { organisationOf, organisationName } from '../state/organisations';
import { askForLasting, unkept } from '../state/storage';
import { toast } from '../state/toasts';
import { isLookedAfter, isMine, workerName } from '../state/workers';
import { Icon } from '../ui/Icon';
import { day, displayText, moment } from '../ui/text';
import { Words } from '../ui/Words';
import { openTerminalOn } from './opening';
import type { Asking } from './WorkerDialogs';

interface Props {
  worker: Worker;
  pin: PinRecord | undefined;
  changed: () => void;
  ask: (asking: Asking) => void;
}

export function WorkerCard({ worker, pin, changed, ask }: Props) {
  const { workerId } = worker;
  const name = workerName(workerId);
  const mine = isMine(worker);
  const keeps = mine || (organisationOf(worker.organisationId)?.role ?? OrganisationRole.UNSPECIFIED) >= OrganisationRole.ADMIN;
  const id = `worker-${workerId}`;
  const Said = ({ children }: { children: string }) => <span class="off-screen"> {children}</span>;
  const verify = () => pin && void channels().markVerified(workerId, pin.full)
    .then(async () => { toast('Marked as verified.'); changed(); await askForLasting(); }, (error: unknown) => toast(unkept(error), 'danger'));
  const forget = () => void channels().forgetPin(workerId)
    .then(() => { toast('Key forgotten. The next connection pins anew.'); changed(); }, (error: unknown) => toast(unkept(error), 'danger'));
  return (
    <li class="worker-card" aria-labelledby={id}>
      <div class="worker-card-head">
        <Icon of={worker.bundled ? Monitor : Server} size={18} />
        <h3 id={id} title={name}>{name}</h3>
        <span class={`tag ${worker.online ? 'good' : ''}`}>{worker.deregistering ? 'leaving' : worker.online ? 'online' : 'offline'}</span>
      </div>
      <p class="hint">{presence(worker)}</p>
      <dl class="facts">
        <div><dt>Key</dt><dd>{pin ? <Words words={pin.words} /> : 'Not met yet'}</dd></div>
        {pin && (
          <div>
            <dt>Checked</dt>
            <dd class={`checked ${pin.verified ? 'good' : ''}`}><Icon of={pin.verified ? ShieldCheck : ShieldQuestion} size={15} /> {pin.verified ? 'Verified' : `First seen ${day(pin.firstSeen)}`}</dd>
          </div>
        )}
        <div><dt>Mode</dt><dd>{modeOf(worker)}</dd></div>
        {organisationOf(worker.organisationId)?.personal === false && <div><dt>Organisation</dt><dd>{organisationName(worker.organisationId)}</dd></div>}
        {!mine && <div><dt>Owner</dt><dd>{displayText(worker.ownerUsername, 40)}</dd></div>}
      </dl>
      <div class="worker-card-actions">
        {!isLookedAfter(worker) && <button class="primary" disabled={!worker.online} onClick={() => openTerminalOn(workerId)}>{mine ? 'Open terminal' : 'Open'}<Said>{mine ? `on ${name}` : name}</Said></button>}
        {pin && !pin.verified && <button onClick={verify}>Mark verified<Said>{name}</Said></button>}
        {pin && <button class="ghost" onClick={() => ask({ kind: 'key', worker })}>Fingerprint<Said>{`of ${name}`}</Said></button>}
        {pin && <button class="ghost" onClick={forget}>Forget key<Said>{`of ${name}`}</Said></button>}
        {keeps && <button class="ghost" onClick={() => ask({ kind: 'rename', worker })}>Rename<Said>{name}</Said></button>}
        {mine && !worker.bundled && <button class="ghost" onClick={() => ask({ kind: 'transfer', worker })}>Transfer<Said>{name}</Said></button>}
        {keeps && !worker.bundled && <button class="ghost" onClick={() => ask({ kind: 'deregister', worker })}>Deregister<Said>{name}</Said></button>}
      </div>
    </li>
  );
}

function presence(worker: Worker): string {
  const [seen, since] = [Number(worker.lastSeenUnixMs), Number(worker.registeredUnixMs)];
  const registered = since > 0 ? `Registered ${day(since)}.` : '';
  const version = worker.version ? ` Version ${displayText(worker.version, 24)}.` : '';
  if (worker.online) return `${worker.bundled ? 'Runs with this Hub.' : registered}${version}`;
  return seen > 0 ? `Last seen ${moment(seen)}. ${registered}` : `Never seen. ${registered}`;
}

function modeOf({ encryptionMode }: Worker): string {
  switch (encryptionMode) {
    case EncryptionMode.POST_QUANTUM: return 'Post-quantum hybrid';
    case EncryptionMode.CLASSIC: return 'Classic';
    default: return 'Known when it is online';
  }
}
