/** Asks, on a device that the Worker trusts, about one that it does not know yet. */

import { approve, notNow, waitingDevice, type WaitingDevice } from '../state/devices';
import { workerName } from '../state/workers';
import { Words } from '../ui/Words';

export function DeviceBanner() {
  const waiting = waitingDevice.value;
  // The live region stands there before there is anything to say, or it would not be heard.
  return <div aria-live="assertive">{waiting && <Question waiting={waiting} />}</div>;
}

function Question({ waiting }: { waiting: WaitingDevice }) {
  return (
    <section class="banner" role="alertdialog" aria-labelledby="device-title" aria-describedby="device-text" data-region="banner">
      <h2 id="device-title">A new device wants to connect</h2>
      <p id="device-text">
        To {workerName(waiting.workerId)}, as you. Approve it only if these are the words that the
        new device shows:
      </p>
      <p class="large-words"><Words words={waiting.device.fingerprint} /></p>
      <div class="actions">
        <button onClick={() => notNow(waiting)}>Not now</button>
        <button class="primary" onClick={() => void approve(waiting)}>Approve</button>
      </div>
    </section>
  );
}
