/** The devices that each connected Worker trusts, of every user of it. */

import { DeviceState } from '../gen/leapmux/v1/services_pb';
import { approve, devices, keyOf, omitted, otherUser, remove, wordsOfDevice, type WaitingDevice } from '../state/devices';
import { workerName } from '../state/workers';
import { displayText, moment, plural } from '../ui/text';
import { KeyWords } from '../ui/KeyWords';

export function DeviceSettings() {
  const all = [...devices.value].flatMap(([workerId, list]) => list.map((device) => ({ workerId, device })));
  return (
    <section class="settings-part" aria-labelledby="devices-title">
      <h2 id="devices-title">Devices</h2>
      <p class="muted">A Worker lets in only devices whose key it knows. Removing one closes its connections.</p>
      {all.length === 0 && <p class="hint">Connect to a Worker to see the devices that it trusts.</p>}
      <ul class="records">
        {all.map((one) => <DeviceRecord key={keyOf(one)} one={one} />)}
      </ul>
      {[...omitted.value].filter(([, more]) => more > 0).map(([workerId, more]) => (
        <p key={workerId} class="hint">{workerName(workerId)} knows {plural(more, 'device')} more. All are listed on its machine: <code class="command">leapmux worker devices list</code></p>
      ))}
    </section>
  );
}

function DeviceRecord({ one }: { one: WaitingDevice }) {
  const { device, workerId } = one;
  const waiting = device.state === DeviceState.WAITING;
  const other = otherUser(device);
  const label = displayText(device.label, 60);
  const words = wordsOfDevice(one);
  return (
    <li class="record">
      <div class="record-main">
        <h3>
          <KeyWords of={device.key} />
          {device.thisOne && <span class="tag good">this one</span>}
          {other !== undefined && <span class="tag warn">another user: {other}</span>}
          {waiting && <span class="tag warn">waiting</span>}
        </h3>
        <p class="hint sentence">
          {label ? `${label}. ` : ''}On {workerName(workerId)}. First seen {moment(Number(device.firstSeenUnixMs))}
          {device.lastSeenUnixMs > 0n ? `, last seen ${moment(Number(device.lastSeenUnixMs))}` : ''}.
        </p>
      </div>
      <div class="record-actions">
        {waiting && <button class="primary" disabled={words === undefined} onClick={() => void approve(one)}>Approve<span class="off-screen"> {words}</span></button>}
        {!device.thisOne && <button onClick={() => void remove(one)}>Remove<span class="off-screen"> {words}</span></button>}
      </div>
    </li>
  );
}
