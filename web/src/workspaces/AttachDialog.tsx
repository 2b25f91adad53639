/** Asked once for each Worker in a workspace that others see: may they reach it, and who of them is let in? */

import { useState } from 'preact/hooks';
import { Role } from '../gen/leapmux/v1/channel_pb';
import type { GranteeDevices } from '../gen/leapmux/v1/workspaces_pb';
import { attach, keepForMe } from '../state/attaching';
import { firstKey, saw, standingOf } from '../state/due';
import { certify, grantees, modeOf } from '../state/grants';
import { wordsOf } from '../state/key-words';
import { dismiss } from '../state/overlays';
import { toast } from '../state/toasts';
import { workerName, workerOf } from '../state/workers';
import { titleOfWorkspace, workspaceOf } from '../state/workspaces';
import { Dialog } from '../ui/Dialog';
import { Form } from '../ui/Form';
import { KeyWords } from '../ui/KeyWords';
import { displayText } from '../ui/text';
import { AS } from './Certificates';

interface Props {
  workspaceId: string;
  workerId: string;
  then: () => void;
}

interface Candidate { one: GranteeDevices; key: Uint8Array }

export function AttachDialog({ workspaceId, workerId, then }: Props) {
  const [candidates, setCandidates] = useState<Candidate[]>();
  const [name, title] = [workerName(workerId), titleOfWorkspace(workspaceOf(workspaceId))];
  const go = () => {
    dismiss();
    then();
  };
  if (candidates) return <Admission workerId={workerId} candidates={candidates} title={`Let them in to ${name}?`} go={go} />;
  return (
    <Dialog title={`Use ${name} in ${title}?`} onClose={dismiss} describedBy="attach-text">
      <div id="attach-text" class="prose">
        <p>{title} is shared. Attach {name} to it, and the people there whom you certify reach the terminals that are opened in it: viewers look, editors type.</p>
        <p class="hint">Everything else on {name} stays out of their reach: they see no terminal of another workspace.</p>
      </div>
      <Form verb="Attach" doing="Attaching…" onCancel={dismiss}
        onSubmit={async () => {
          await attach(workspaceId, workerId);
          const due = candidatesOf(workspaceId, workerId);
          if (due.length > 0) setCandidates(due);
          else go();
        }}>
        <button type="button" class="link start" onClick={() => { keepForMe(workspaceId, workerId); go(); }}>Only for me: the others do not see it</button>
      </Form>
    </Dialog>
  );
}

/** Signs for those who stand here, with the role and the key that stand here, and for nobody else. */
function Admission({ workerId, candidates, title, go }: { workerId: string; candidates: Candidate[]; title: string; go: () => void }) {
  const legible = candidates.every(({ key }) => wordsOf(key) !== undefined);
  const decided = candidates.map(({ one, key }) => saw(one, key));
  return (
    <Dialog title={title} onClose={dismiss} describedBy="admission-text">
      <p id="admission-text" class="muted">Each of them sees the same words under “This device”. Compare them over another channel, if you do not trust this Hub.</p>
      <Form verb="Certify and open" doing="Certifying…" onCancel={dismiss} disabled={!legible}
        onSubmit={async () => {
          const signed = await certify(workerId, (grant) => decided.some((fits) => fits(grant)));
          if (signed < candidates.length) toast(`Certified ${signed} of ${candidates.length}: the Hub says something else of the others by now. Look under Sharing.`, 'danger');
          go();
        }}>
        <ul class="records" aria-label="Who is let in">
          {candidates.map(({ one, key }) => (
            <li key={one.userId} class="record">
              <div class="record-main">
                <h3>{displayText(one.username, 40)} <span class="tag">{AS[one.role]}</span></h3>
                <p><KeyWords of={key} /></p>
              </div>
            </li>
          ))}
        </ul>
        <button type="button" class="link start" onClick={go}>Open it, and certify later under Sharing</button>
      </Form>
    </Dialog>
  );
}

function candidatesOf(workspaceId: string, workerId: string): Candidate[] {
  const worker = workerOf(workerId);
  const mode = worker && modeOf(worker);
  if (!mode) return [];
  return (grantees.peek().get(workerId) ?? []).flatMap((one): Candidate[] => {
    if (one.workspaceId !== workspaceId || one.role === Role.UNSPECIFIED || standingOf(one, mode, Date.now()) !== 'due') return [];
    const key = firstKey(one.devices, mode);
    return key ? [{ one, key }] : [];
  });
}
