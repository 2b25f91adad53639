/** The question that defeats a Hub that swaps a Worker. Everything but Accept means Reject. */

import { useState } from 'preact/hooks';
import type { Waiting } from '../state/trust';
import { Dialog } from '../ui/Dialog';
import { day, displayText } from '../ui/text';
import { Words } from '../ui/Words';

/** To be keyed by the question's id: the box and the focus belong to one asking. */
export function TrustDialog({ waiting: { question, resolve } }: { waiting: Waiting }) {
  const [compared, setCompared] = useState(false);
  const { kind, expected, actual } = question;
  const modes = kind !== 'key-changed';
  const title = kind === 'mode-weaker' ? 'Worker encryption mode changed' : 'Worker public key changed';
  return (
    <Dialog title={title} tone="danger" role="alertdialog" describedBy="trust-text" onClose={() => resolve('reject')}>
      <p id="trust-text">
        {kind === 'mode-weaker' ? (
          <>The encryption mode of worker {displayText(question.workerId, 64)} is weaker than at the last connection:{' '}
            {displayText(actual.mode, 20)} instead of {displayText(expected.mode, 20)}. Its public key is the same. This could
            indicate a deliberate change or a potential security issue.</>
        ) : (
          <>The public key for worker {displayText(question.workerId, 64)} has changed since the last connection. This
            could indicate a legitimate key rotation or a potential security issue.</>
        )}
      </p>
      {kind === 'key-and-mode' && <p class="notice danger">The Worker also offers a weaker encryption mode than before.</p>}
      <div class="fingerprints">
        <Side name="Expected:" key_={expected} modes={modes}>
          First seen {day(expected.firstSeen)}, last used {day(expected.lastUsed)}
        </Side>
        <Side name="Actual:" key_={actual} against={expected.words} modes={modes}>
          Offered by the Hub just now
        </Side>
      </div>
      <details>
        <summary>Show full fingerprint</summary>
        <p class="hint">Expected</p><code class="full">{expected.full}</code>
        <p class="hint">Actual</p><code class="full">{actual.full}</code>
      </details>
      <p class="warning">
        If you did not expect this change, reject the connection and verify the worker’s identity before accepting.
      </p>
      <label class="check">
        <input type="checkbox" checked={compared} onChange={(event) => setCompared(event.currentTarget.checked)} />
        {kind === 'mode-weaker' ? 'I know, over another channel, that the mode was changed' : 'I compared the words over another channel'}
      </label>
      <div class="actions">
        <button class="danger" disabled={!compared} onClick={() => resolve('accept')}>Accept</button>
        <button class="primary" data-first onClick={() => resolve('reject')}>Reject</button>
      </div>
    </Dialog>
  );
}

interface SideProps {
  name: string;
  key_: { words: string; mode: string };
  against?: string;
  modes: boolean;
  children: preact.ComponentChildren;
}

function Side({ name, key_, against, modes, children }: SideProps) {
  return (
    <div class="fingerprint">
      <h3>{name}</h3>
      <p class="large-words"><Words words={key_.words} against={against} /></p>
      {modes && <p class={against && key_.mode === 'classic' ? 'mode weaker' : 'mode'}>Mode: {key_.mode}</p>}
      <p class="hint">{children}</p>
    </div>
  );
}
