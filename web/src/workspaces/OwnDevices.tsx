/** The person's devices at this Hub, and the word of this one for the others. */

import { useEffect, useState } from 'preact/hooks';
import { ForgetDeviceRequestSchema, ForgetDeviceResponseSchema, type UserDevice } from '../gen/leapmux/v1/accounts_pb';
import { sentence } from '../hub/refusals';
import { rpc } from '../hub/rpc';
import { account } from '../state/account';
import { channels } from '../state/channels';
import { wordsOf } from '../state/key-words';
import { listDevices, notRegistered, registerDevice, registrations, vouchFor } from '../state/own-device';
import { toast } from '../state/toasts';
import { Asking } from '../ui/Asking';
import { displayText, moment } from '../ui/text';
import { useAsked } from '../ui/useAsked';
import { KeyWords } from '../ui/KeyWords';

export function OwnDevices() {
  const asked = useAsked(listDevices, [registrations.value]);
  const [own, setOwn] = useState<Uint8Array>();
  useEffect(() => void channels().work('own-device', { mode: 'post-quantum' }).then(({ key }) => setOwn(key), () => undefined), []);
  return (
    <section class="settings-part stretch" aria-labelledby="own-devices-title">
      <h2 id="own-devices-title">Your devices at this Hub</h2>
      <p class="muted">Others who share with you let in your first device. It vouches for the rest: compare the words with those that the other device shows here, then vouch. If you have lost it, forget it: the next oldest is the first then, and those who share with you are asked about it.</p>
      {notRegistered.value !== undefined && <p class="notice warn">This device is not among them: {notRegistered.value} Forget one that you do not use any more.</p>}
      <Asking of={asked} />
      <ul class="records" aria-label="Your devices">
        {asked.value?.map((one) => <Device key={one.key.join(',')} one={one} isThis={own !== undefined && equal(own, one.key)} changed={() => void asked.again()} />)}
      </ul>
    </section>
  );
}

function Device({ one, isThis, changed }: { one: UserDevice; isThis: boolean; changed: () => void }) {
  const words = wordsOf(one.key);
  const [busy, setBusy] = useState(false);
  const who = account.value;
  const act = async (order: () => Promise<unknown>, done: string) => {
    setBusy(true);
    await order().then(() => toast(done), (error: unknown) => toast(sentence(error), 'danger'));
    setBusy(false);
    changed();
  };
  const vouch = () => act(async () => {
    if (who.state === 'signed-in') await vouchFor(who.userId, one.algorithm, one.key);
  }, 'Vouched for. Workers that know this device let it in.');
  const forget = () => act(async () => {
    await rpc('AccountService/ForgetDevice', ForgetDeviceRequestSchema, { key: one.key }, ForgetDeviceResponseSchema);
    // There may be room for this one now.
    if (notRegistered.peek() !== undefined) await registerDevice();
  }, 'Forgotten.');
  const label = displayText(one.label, 60) || 'A device';
  return (
    <li class="record">
      <div class="record-main">
        <h3>{label}{isThis && <span class="tag good">this one</span>}</h3>
        <p><KeyWords of={one.key} /></p>
        <p class="hint">Since {moment(Number(one.createdUnixMs))}{one.lastSeenUnixMs > 0n ? `, last seen ${moment(Number(one.lastSeenUnixMs))}` : ''}.</p>
      </div>
      {!isThis && (
        <div class="record-actions">
          <button disabled={busy || words === undefined} onClick={() => void vouch()}>Vouch<span class="off-screen"> for {label}</span></button>
          <button disabled={busy} onClick={() => void forget()}>Forget<span class="off-screen"> {label}</span></button>
        </div>
      )}
    </li>
  );
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
