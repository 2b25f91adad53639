import { useState } from 'preact/hooks';
import { boundCommands } from '../state/commands';
import type { TabId } from '../state/layout';
import { dropTab } from '../state/layout';
import { dismiss, overlay } from '../state/overlays';
import { closeTerminal, plainTitleOf, renameTerminal, titleOf } from '../state/terminals';
import { open as openLink, type Target } from '../terminal/links';
import { Dialog } from '../ui/Dialog';
import { Keys } from '../ui/Keys';
import { lazy } from '../ui/Lazy';
import { Palette } from './Palette';

const WorkspaceDialogs = lazy(() => import('../workspaces/WorkspaceDialogs').then((found) => found.WorkspaceDialogs));

export function Overlays() {
  const open = overlay.value;
  switch (open?.kind) {
    case undefined:
      return null;
    case 'palette':
      return <Palette />;
    case 'keys':
      return <KeysHelp />;
    case 'close-terminal':
      return <CloseTerminal tab={open.tab} />;
    case 'rename':
      return <Rename tab={open.tab} />;
    case 'link':
      return <FollowLink target={open.target} />;
    case 'new-workspace':
    case 'rename-workspace':
    case 'transfer-workspace':
    case 'delete-workspace':
    case 'sharing':
    case 'attach':
      return <WorkspaceDialogs key={open.kind} asked={open} />;
  }
}

function KeysHelp() {
  const groups = [...new Set(boundCommands.map((command) => command.group))];
  return (
    <Dialog title="Keyboard shortcuts" kind="wide" onClose={dismiss}>
      <div class="key-groups">
        {groups.map((group) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl class="key-list">
              {boundCommands.filter((command) => command.group === group).map((command) => (
                <div key={command.id}>
                  <dt>{command.title}</dt>
                  <dd>{command.keys?.map((text) => <Keys key={text} text={text} />)}</dd>
                </div>
              ))}
              {group === 'Terminal' && <div><dt>Paste</dt><dd><Keys text="Mod+Shift+V" /></dd></div>}
            </dl>
          </section>
        ))}
      </div>
      <p class="hint">
        Tabs and the lines between tiles take the arrow keys when they have the focus. Everything
        else that is typed goes to the terminal.
      </p>
      <div class="actions"><button class="primary" data-first onClick={dismiss}>Close</button></div>
    </Dialog>
  );
}

/** The text of the link was the program's choice; this is where it leads. */
function FollowLink({ target }: { target: Target }) {
  const follow = () => {
    dismiss();
    openLink(target);
  };
  return (
    <Dialog title="Open this link?" onClose={dismiss} describedBy="link-text">
      <p id="link-text">A program in the terminal made it. {target.host !== '' && <>It leads to <strong>{target.host}</strong>:</>}</p>
      <pre class="preview" tabIndex={0}>{target.href}</pre>
      <div class="actions">
        <button data-first onClick={dismiss}>Cancel</button>
        <button class="primary" onClick={follow}>Open</button>
      </div>
    </Dialog>
  );
}

function CloseTerminal({ tab }: { tab: TabId }) {
  const then = (act: () => void) => {
    dismiss();
    act();
  };
  return (
    <Dialog title="Close this terminal?" onClose={dismiss} describedBy="close-text">
      <p id="close-text"><strong>{titleOf(tab)}</strong> may still be running something. Closing ends it and every program in it.</p>
      <div class="actions">
        <button class="push-left" onClick={dismiss}>Cancel</button>
        <button onClick={() => then(() => dropTab(tab))}>Hide, keep running</button>
        <button class="danger" data-first onClick={() => then(() => void closeTerminal(tab))}>Close terminal</button>
      </div>
    </Dialog>
  );
}

function Rename({ tab }: { tab: TabId }) {
  const [title, setTitle] = useState(plainTitleOf(tab));
  const save = (event: Event) => {
    event.preventDefault();
    dismiss();
    void renameTerminal(tab, title.trim());
  };
  return (
    <Dialog title="Rename terminal" onClose={dismiss}>
      <form onSubmit={save}>
        <label for="terminal-name">Name</label>
        <input id="terminal-name" data-first value={title} maxLength={80} autocomplete="off" spellcheck={false}
          aria-describedby="rename-help" onFocus={(event) => event.currentTarget.select()} onInput={(event) => setTitle(event.currentTarget.value)} />
        <p class="hint" id="rename-help">Leave it empty to show what the program calls itself.</p>
        <div class="actions">
          <button type="button" onClick={dismiss}>Cancel</button>
          <button class="primary" type="submit">Rename</button>
        </div>
      </form>
    </Dialog>
  );
}
