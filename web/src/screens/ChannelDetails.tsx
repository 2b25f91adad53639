/** What is known about one Worker's channel, for the card over the status line. */

import type { ChannelStatus } from '../channel/handle';
import { channels } from '../state/channels';
import { reviewable, type Spoken } from '../state/status';
import { askForLasting, unkept } from '../state/storage';
import { toast } from '../state/toasts';
import { day } from '../ui/text';
import { Words } from '../ui/Words';

interface Props {
  status: ChannelStatus;
  state: Spoken;
  name: string;
  onReview: () => void;
}

export function ChannelDetails({ status, state, name, onReview }: Props) {
  return (
    <>
      <h2>{name}</h2>
      <p class={`state-sentence ${state.tone}`}>{state.long}</p>
      <dl class="facts">
        {status.mode && <Fact name="Mode">{status.mode === 'post-quantum' ? 'Post-quantum hybrid' : 'Classic, without post-quantum protection'}</Fact>}
        {status.words && <Fact name="Worker key"><Words words={status.words} /></Fact>}
        {status.words && <Fact name="Checked">{checked(status)}</Fact>}
        {status.deviceWords && <Fact name="This device"><Words words={status.deviceWords} /></Fact>}
        {status.rttMs !== undefined && <Fact name="Latency">{`${Math.round(status.rttMs)} ms to the Worker and back`}</Fact>}
        {status.fullFingerprint && <Fact name="Full fingerprint"><code class="full">{status.fullFingerprint}</code></Fact>}
      </dl>
      {status.pinDropped && <p class="notice">The key kept for this Worker had not been used for a year and was dropped. Compare the words again.</p>}
      <div class="actions start">
        {reviewable(status) && <button class="primary" onClick={() => { onReview(); channels().review(status.workerId); }}>Review</button>}
        {status.words && status.fullFingerprint && !status.verified && status.state === 'ready' && (
          <button onClick={() => void verified(status.workerId, status.fullFingerprint ?? '')}>I compared the words: they match</button>
        )}
      </div>
    </>
  );
}

function Fact({ name, children }: { name: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function checked(status: ChannelStatus): string {
  if (status.verified) return 'Verified';
  return status.firstSeen ? `Not yet. First seen ${day(status.firstSeen)}` : 'Not yet';
}

async function verified(workerId: string, full: string): Promise<void> {
  try {
    await channels().markVerified(workerId, full);
    toast('Marked as verified.');
    await askForLasting();
  } catch (error) {
    toast(unkept(error), 'danger');
  }
}
