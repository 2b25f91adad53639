/** The Worker keys that this browser has pinned. */

import { useEffect, useState } from 'preact/hooks';
import type { PinRecord } from '../channel/handle';
import { channels, statuses } from '../state/channels';
import { askForLasting, lasting, readLasting, unkept } from '../state/storage';
import { toast } from '../state/toasts';
import { workerName } from '../state/workers';
import { moment } from '../ui/text';
import { Words } from '../ui/Words';

export function PinSettings() {
  const [pins, setPins] = useState<PinRecord[] | 'failed'>();
  const read = () => channels().pins().then(setPins, () => setPins('failed'));
  useEffect(() => void read(), [statuses.value]);
  useEffect(() => void readLasting(), []);
  return (
    <section class="settings-part" aria-labelledby="pins-title">
      <h2 id="pins-title">Worker keys kept in this browser</h2>
      <p class="muted">Each Worker’s key is kept for a year after its last use and compared at every connection.</p>
      {lasting.value === false && (
        <p class="notice">
          This browser has not promised to keep them: it may clear them sooner, and the next connection would pin anew.{' '}
          <button class="link" onClick={() => void askForLasting()}>Ask it to keep them</button>
        </p>
      )}
      {pins === 'failed' && <p class="problem">The browser’s storage could not be read.</p>}
      {Array.isArray(pins) && pins.length === 0 && <p class="hint">None yet. A key is kept once a connection stands.</p>}
      {Array.isArray(pins) && pins.length > 0 && (
        <ul class="records">
          {pins.map((pin) => <Pin key={pin.workerId} pin={pin} changed={read} />)}
        </ul>
      )}
    </section>
  );
}

function Pin({ pin, changed }: { pin: PinRecord; changed: () => void }) {
  const name = workerName(pin.workerId);
  const act = (what: Promise<void>, done: string) =>
    what.then(() => { toast(done); changed(); }, (error: unknown) => { toast(unkept(error), 'danger'); changed(); });
  return (
    <li class="record">
      <div class="record-main">
        <h3>{name} <span class={`tag ${pin.verified ? 'good' : ''}`}>{pin.verified ? 'verified' : 'not verified'}</span></h3>
        <p><Words words={pin.words} /></p>
        <p class="hint sentence">{pin.mode}. First seen {moment(pin.firstSeen)}, last used {moment(pin.lastUsed)}.</p>
        <details><summary>Show full fingerprint</summary><code class="full">{pin.full}</code></details>
      </div>
      <div class="record-actions">
        {!pin.verified && <button onClick={() => void act(channels().markVerified(pin.workerId, pin.full), 'Marked as verified.')}>Mark verified<span class="off-screen"> {name}</span></button>}
        <button onClick={() => void act(channels().forgetPin(pin.workerId), 'Key forgotten. The next connection pins anew.')}>Forget<span class="off-screen"> {name}</span></button>
      </div>
    </li>
  );
}
