/** Why a Worker cannot be used right now, and what a person can do about it. */

import { statuses, channels } from '../state/channels';
import { notRegistered } from '../state/own-device';
import { reopen, reopening } from '../state/reopen';
import { go } from '../state/route';
import { reasonSentence, speak } from '../state/status';
import { isMine, workerName, workerOf, workers } from '../state/workers';
import { displayText, fourWords } from '../ui/text';
import { Words } from '../ui/Words';
import { useNow } from './StatusLine';

export function WorkerNotice({ workerId }: { workerId: string }) {
  const status = statuses.value.get(workerId);
  const now = useNow(status?.state === 'reconnecting');
  const state = speak(status, now);
  const name = workerName(workerId);
  const online = workers.value?.find((worker) => worker.workerId === workerId)?.online ?? false;
  if (status?.reason === 'device_not_trusted') {
    const worker = workerOf(workerId);
    const words = fourWords(status.deviceWords);
    return worker && !isMine(worker) ? <Certification owner={displayText(worker.ownerUsername, 40)} name={name} words={words} /> : <Approval name={name} words={words} />;
  }
  if (status?.state === 'blocked') {
    return (
      <div class="notice-block bad">
        <h2>{state.short}</h2>
        <p>{state.long}</p>
        <button class="primary" onClick={() => channels().review(workerId)}>Review</button>
      </div>
    );
  }
  if (!online && status?.state !== 'ready' && status?.reason === 'worker_offline') {
    return (
      <div class="notice-block">
        <h2>{name} is offline</h2>
        <p>{reasonSentence('worker_offline')}</p>
      </div>
    );
  }
  const again = reopening(workerId);
  return (
    <div class="notice-block">
      <div role="status">
        <h2>{status ? state.short : name}</h2>
        <p>{state.long}</p>
      </div>
      {again && <button class="primary" onClick={() => reopen(workerId)}>{again}</button>}
    </div>
  );
}

/** At somebody else's Worker: its owner lets people in, and their first device lets in the others. */
function Certification({ owner, name, words }: { owner: string; name: string; words: string | undefined }) {
  return (
    <div class="notice-block approval">
      <h2>Waiting for {owner}</h2>
      <p>{name} lets you in once {owner} has certified this device. Its words are:</p>
      <p class="large-words">{words ? <Words words={words} /> : 'Reading this device’s key…'}</p>
      <div class="ways">
        <p>{owner} finds you under <strong>Sharing</strong> of the workspace, and can compare these words with you there.</p>
        <p>Have you been let in on another device? Then open <strong>Settings</strong> on that one and vouch for this.</p>
        <p>
          Is that device lost? <button class="link" onClick={() => go('settings')}>Forget it in Settings</button>, under
          “Your devices at this Hub”, with all others that are older than this one. Then {owner} is asked about this one.
        </p>
      </div>
      {notRegistered.value !== undefined && <p class="notice warn">The Hub does not tell {owner} of this device: {notRegistered.value} Forget one in Settings that you do not use any more.</p>}
      <p class="hint" role="status">This page keeps asking and opens by itself.</p>
    </div>
  );
}

function Approval({ name, words }: { name: string; words: string | undefined }) {
  return (
    <div class="notice-block approval">
      <h2>Approve this device</h2>
      <p>{name} does not know this device yet. Its words are:</p>
      <p class="large-words">{words ? <Words words={words} /> : 'Reading this device’s key…'}</p>
      <div class="ways">
        <p>Open LeapMux on a device that {name} knows, compare these words there and choose <strong>Approve</strong>.</p>
        {words && <p>Or run this on the Worker’s machine: <code class="command">leapmux worker devices approve {words}</code></p>}
      </div>
      <p class="hint" role="status">This page keeps asking and opens by itself.</p>
    </div>
  );
}
