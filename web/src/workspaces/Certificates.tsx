/** Whether somebody's certificate stands at one's own Workers, and the button where only a person may decide. */

import { BadgeCheck, Clock, KeyRound } from 'lucide';
import { useState } from 'preact/hooks';
import { Role } from '../gen/leapmux/v1/channel_pb';
import type { GranteeDevices } from '../gen/leapmux/v1/workspaces_pb';
import { sentence } from '../hub/refusals';
import { channels } from '../state/channels';
import { firstKey, standingOf } from '../state/due';
import { certify, grantees, modeOf } from '../state/grants';
import { isOf, ownHosts, type Whom } from '../state/sharing';
import { toast } from '../state/toasts';
import { workerName, workerOf } from '../state/workers';
import { Icon } from '../ui/Icon';
import { day, displayText } from '../ui/text';
import { Words } from '../ui/Words';

interface Props {
  workspaceId: string;
  whom: Whom;
  /** With the names of the people, where the row itself does not say whose it is. */
  named?: boolean;
}

interface At { workerId: string; one: GranteeDevices }

export function Certificates({ workspaceId, whom, named }: Props) {
  const hosts = ownHosts(workspaceId);
  const all = hosts.flatMap((workerId): At[] => (grantees.value.get(workerId) ?? []).filter((one) => isOf(one, workspaceId, whom)).map((one) => ({ workerId, one })));
  const rows = all.filter(({ one }) => one.role !== Role.UNSPECIFIED);
  if (hosts.length === 0) return <p class="hint">Nothing to certify: none of your Workers is attached.</p>;
  if (rows.length === 0) return <p class="hint">{whom === 'everybody' ? 'Nobody else is there yet.' : 'Asking the Hub…'}</p>;
  const several = hosts.length > 1;
  return (
    <ul class="certificates">
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
      return <li class="certificate good"><Icon of={BadgeCheck} size={14} /> {who}Certified{where} until {day(Number(one.certifiedUntilUnixMs))}</li>;
    case 'waiting':
      return <li class="certificate"><Icon of={Clock} size={14} /> {who}Waiting for their first device{where}</li>;
    case 'none':
      return null;
    case 'due':
      return <Due workerId={workerId} one={one} who={who} where={where} deviceKey={firstKey(one.devices, mode)} />;
  }
}

interface DueProps {
  workerId: string;
  one: GranteeDevices;
  who: string;
  where: string;
  deviceKey: Uint8Array | undefined;
}

function Due({ workerId, one, who, where, deviceKey }: DueProps) {
  const [busy, setBusy] = useState(false);
  const [words, setWords] = useState<string>();
  const changed = one.certifiedDeviceKey.length > 0 && deviceKey !== undefined && !same(one.certifiedDeviceKey, deviceKey);
  const name = displayText(one.username, 40);
  const act = async () => {
    setBusy(true);
    try {
      await certify(workerId, (each) => each.workspaceId === one.workspaceId && each.userId === one.userId);
      toast(`Certified ${name}.`);
    } catch (error) {
      toast(sentence(error), 'danger');
    }
    setBusy(false);
  };
  const read = () => deviceKey && words === undefined && void channels().work('words', { key: deviceKey }).then(setWords, () => undefined);
  return (
    <li class="certificate due">
      <Icon of={KeyRound} size={14} />
      <span>{who}{changed ? 'Their first device has another key now' : 'Waits for your certificate'}{where}</span>
      <button class="small" disabled={busy} onClick={() => void act()}>{busy ? 'Certifying…' : 'Certify'}<span class="off-screen"> {name}</span></button>
      <details onToggle={read}>
        <summary>Compare words</summary>
        <p>{words ? <Words words={words} /> : 'Reading…'} <span class="hint">{name} sees the same under “This device”. Compare them over another channel, if you do not trust this Hub.</span></p>
      </details>
    </li>
  );
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  const length = Math.min(a.length, b.length);
  return a.subarray(0, length).every((byte, at) => byte === b[at]);
}
