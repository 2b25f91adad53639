/** Whether somebody's certificate stands at one's own Workers, and the button where only a person may decide. */

import { BadgeCheck, Clock, KeyRound } from 'lucide';
import { useState } from 'preact/hooks';
import { Role } from '../gen/leapmux/v1/channel_pb';
import type { GranteeDevices } from '../gen/leapmux/v1/workspaces_pb';
import { sentence } from '../hub/refusals';
import { firstKey, saw, standingOf } from '../state/due';
import { certify, grantees, keySignedHere, modeOf } from '../state/grants';
import { nameOf } from '../state/key-words';
import { isOf, ownHosts, type Whom } from '../state/sharing';
import { toast } from '../state/toasts';
import { workerName, workerOf } from '../state/workers';
import { Icon } from '../ui/Icon';
import { KeyWords } from '../ui/KeyWords';
import { day, displayText } from '../ui/text';
import { useSettled } from '../ui/useSettled';

interface Props {
  workspaceId: string;
  whom: Whom;
  /** With the names of the people, where the row itself does not say whose it is. */
  named?: boolean;
}

interface At { workerId: string; one: GranteeDevices }

/** As a part of a sentence. */
export const AS: Record<Role, string> = { [Role.UNSPECIFIED]: 'nothing', [Role.VIEWER]: 'viewer', [Role.EDITOR]: 'editor', [Role.OWNER]: 'owner' };

export function Certificates({ workspaceId, whom, named }: Props) {
  const hosts = ownHosts(workspaceId);
  const all = hosts.flatMap((workerId): At[] => (grantees.value.get(workerId) ?? []).filter((one) => isOf(one, workspaceId, whom)).map((one) => ({ workerId, one })));
  const rows = all.filter(({ one }) => one.role !== Role.UNSPECIFIED);
  if (hosts.length === 0) return <p class="hint">Nothing to certify: none of your Workers is attached.</p>;
  if (rows.length === 0) return <p class="hint">{whom === 'everybody' ? 'Nobody else is there yet.' : 'Asking the Hub…'}</p>;
  const several = hosts.length > 1;
  const due = rows.flatMap(dueOf);
  return (
    <ul class="certificates">
      {due.length > 1 && <All key={due.map(({ workerId, one, key }) => `${workerId} ${one.userId} ${one.role} ${nameOf(key)}`).join()} due={due} />}
      {rows.map((row) => <Row key={`${row.workerId} ${row.one.userId}`} row={row} several={several} named={named === true || whom === 'everybody'} />)}
    </ul>
  );
}

function Row({ row: { workerId, one }, several, named }: { row: At; several: boolean; named: boolean }) {
  const worker = workerOf(workerId);
  const mode = worker && modeOf(worker);
  const where = several ? ` at ${workerName(workerId)}` : '';
  const who = named ? `${displayText(one.username, 40)}: ` : '';
  if (!mode) return <li class="certificate"><Icon of={Clock} size={14} /> {who}Waiting until {workerName(workerId)} has been online</li>;
  switch (standingOf(one, mode, Date.now())) {
    case 'certified':
      return <Certified workerId={workerId} one={one} who={who} where={where} />;
    case 'waiting':
      return <li class="certificate"><Icon of={Clock} size={14} /> {who}Waiting for their first device{where}</li>;
    case 'none':
      return null;
    case 'due': {
      const deviceKey = firstKey(one.devices, mode);
      if (!deviceKey) return null;
      return <Due key={`${one.role} ${nameOf(deviceKey)}`} workerId={workerId} one={one} who={who} where={where} deviceKey={deviceKey} />;
    }
  }
}

interface DueOne extends At { key: Uint8Array }

function dueOf({ workerId, one }: At): DueOne[] {
  const worker = workerOf(workerId);
  const mode = worker && modeOf(worker);
  const key = mode && standingOf(one, mode, Date.now()) === 'due' ? firstKey(one.devices, mode) : undefined;
  return key ? [{ workerId, one, key }] : [];
}

/** For those who are listed, as they are listed. */
function All({ due }: { due: DueOne[] }) {
  const [busy, setBusy] = useState(false);
  const settled = useSettled();
  const act = async () => {
    setBusy(true);
    try {
      let signed = 0;
      for (const workerId of new Set(due.map((one) => one.workerId))) {
        const decided = due.filter((one) => one.workerId === workerId).map(({ one, key }) => saw(one, key));
        signed += await certify(workerId, (grant) => decided.some((fits) => fits(grant)));
      }
      toast(`Certified ${signed} of ${due.length}.`, signed < due.length ? 'danger' : 'plain');
    } catch (error) {
      toast(sentence(error), 'danger');
    }
    setBusy(false);
  };
  return <li class="certificate due"><button class="small" disabled={busy || !settled} onClick={() => void act()}>{busy ? 'Certifying…' : `Certify all ${due.length}`}</button></li>;
}

interface StandingProps {
  workerId: string;
  one: GranteeDevices;
  who: string;
  where: string;
}

/** Which key it is that was let in, this browser knows of itself and takes from nobody. */
function Certified({ workerId, one, who, where }: StandingProps) {
  const key = keySignedHere(workerId, one);
  return (
    <li class="certificate good">
      <Icon of={BadgeCheck} size={14} /> {who}Certified as {AS[one.certifiedRole]}{where} until {day(Number(one.certifiedUntilUnixMs))}
      {(!key || !same(key, one.certifiedDeviceKey)) && <span class="hint">, says the Hub: it was signed in another browser of yours</span>}
      {key && <Compare deviceKey={key} name={displayText(one.username, 40)} />}
    </li>
  );
}

function Compare({ deviceKey, name }: { deviceKey: Uint8Array; name: string }) {
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Compare words<span class="off-screen"> with {name}</span></summary>
      <p>{open && <KeyWords of={deviceKey} />} <span class="hint">{name} sees the same under “This device”. Compare them over another channel, if you do not trust this Hub.</span></p>
    </details>
  );
}

/** About one key and one role: where either changes, another one stands here. */
function Due({ workerId, one, who, where, deviceKey }: StandingProps & { deviceKey: Uint8Array }) {
  const [busy, setBusy] = useState(false);
  const settled = useSettled();
  const changed = one.certifiedDeviceKey.length > 0 && !same(one.certifiedDeviceKey, deviceKey);
  const name = displayText(one.username, 40);
  const act = async () => {
    setBusy(true);
    try {
      const signed = await certify(workerId, saw(one, deviceKey));
      if (signed > 0) toast(`Certified ${name}.`);
      else toast(`Nothing was certified: the Hub says something else of ${name} by now. Look again.`, 'danger');
    } catch (error) {
      toast(sentence(error), 'danger');
    }
    setBusy(false);
  };
  return (
    <li class="certificate due">
      <Icon of={KeyRound} size={14} />
      <span>{who}{changed ? 'Their first device has another key now, to be certified' : 'Waits for your certificate'} as {AS[one.role]}{where}</span>
      <button class="small" disabled={busy || !settled} onClick={() => void act()}>{busy ? 'Certifying…' : 'Certify'}<span class="off-screen"> {name} as {AS[one.role]}</span></button>
      <Compare deviceKey={deviceKey} name={name} />
    </li>
  );
}

/** The key of one mode is the beginning of the other's. */
function same(a: Uint8Array, b: Uint8Array): boolean {
  const length = Math.min(a.length, b.length);
  return a.subarray(0, length).every((byte, at) => byte === b[at]);
}
