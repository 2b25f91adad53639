/** Asks, on a device that the Worker trusts, about one that it does not know yet. */

import { approve, keyOf, notNow, otherUser, waitingDevice, wordsOfDevice, type WaitingDevice } from '../state/devices';
import { workerName } from '../state/workers';
import { KeyWords } from '../ui/KeyWords';
import { useSettled } from '../ui/useSettled';

export function DeviceBanner() {
  const waiting = waitingDevice.value;
  // The live region stands there before there is anything to say, or it would not be heard.
  return <div aria-live="assertive">{waiting && <Question key={keyOf(waiting)} waiting={waiting} />}</div>;
}

function Question({ waiting }: { waiting: WaitingDevice }) {
  const settled = useSettled();
  const words = wordsOfDevice(waiting);
  const other = otherUser(waiting.device);
  return (
    <section class="banner" role="alertdialog" aria-labelledby="device-title" aria-describedby="device-text" data-region="banner">
      <h2 id="device-title">{other === undefined ? 'A new device wants to connect' : 'A device of another user wants to connect'}</h2>
      <p id="device-text">
        To {workerName(waiting.workerId)}, {other === undefined ? 'as you' : <strong>not as you but as user {other}</strong>}.{' '}
        Approve it only if these are the words that the new device shows:
      </p>
      <p class="large-words"><KeyWords of={waiting.device.key} /></p>
      <div class="actions">
        <button onClick={() => notNow(waiting)}>Not now</button>
        <button class="primary" disabled={!settled || words === undefined} onClick={() => void approve(waiting)}>Approve</button>
      </div>
    </section>
  );
}
