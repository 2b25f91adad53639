/** Asked once for each Worker in a workspace that others see: may they reach it? */

import { certifyAttached } from '../state/attaching';
import { dismiss } from '../state/overlays';
import { workerName } from '../state/workers';
import { titleOfWorkspace, workspaceOf } from '../state/workspaces';
import { Dialog } from '../ui/Dialog';
import { Form } from '../ui/Form';

interface Props {
  workspaceId: string;
  workerId: string;
  then: () => void;
}

export function AttachDialog({ workspaceId, workerId, then }: Props) {
  const [name, title] = [workerName(workerId), titleOfWorkspace(workspaceOf(workspaceId))];
  const go = () => {
    dismiss();
    then();
  };
  return (
    <Dialog title={`Use ${name} in ${title}?`} onClose={dismiss} describedBy="attach-text">
      <div id="attach-text" class="prose">
        <p>{title} is shared. Attach {name} to it, and the people there reach the terminals that are opened in it: viewers look, editors type.</p>
        <p class="hint">Everything else on {name} stays out of their reach: they see no terminal of another workspace.</p>
      </div>
      <Form verb="Attach and open" doing="Attaching…" onCancel={dismiss}
        onSubmit={async () => {
          await certifyAttached(workspaceId, workerId);
          go();
        }}>
        <button type="button" class="link start" onClick={go}>Only for me: the others do not see it</button>
      </Form>
    </Dialog>
  );
}
