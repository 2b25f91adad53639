import { useState } from 'preact/hooks';
import { profile } from '../state/account';
import { deleteAccount } from '../state/myself';
import { Dialog } from '../ui/Dialog';
import { Field, PasswordField } from '../ui/Field';
import { Form } from '../ui/Form';

export function DeleteAccount({ username }: { username: string }) {
  const [open, setOpen] = useState(false);
  return (
    <section class="settings-part" aria-labelledby="delete-title">
      <h2 id="delete-title">Delete the account</h2>
      <p class="muted">Ends every login, token and share, and takes your Workers from this Hub. It cannot be undone.</p>
      <button class="outline-danger" onClick={() => setOpen(true)}>Delete the account…</button>
      {open && <Ask username={username} onClose={() => setOpen(false)} />}
    </section>
  );
}

function Ask({ username, onClose }: { username: string; onClose: () => void }) {
  const [typed, setTyped] = useState('');
  const [password, setPassword] = useState('');
  const check = () => (typed === username ? undefined : `Type ${username} to go on.`);
  const words = { unauthenticated: 'The password is wrong.' };
  return (
    <Dialog title={`Delete the account ${username}?`} tone="danger" onClose={onClose} describedBy="delete-text">
      <div id="delete-text" class="prose">
        <p>These go with it, at once and for good:</p>
        <ul>
          <li>all logins and API tokens; whatever is connected with them closes,</li>
          <li>your workspaces, and with them what you shared,</li>
          <li>your Workers at this Hub. Their machines and files stay as they are.</li>
        </ul>
        <p>Where you are the last owner of an organisation, make somebody else an owner first.</p>
      </div>
      <Form verb="Delete the account" doing="Deleting…" danger check={check} words={words} onCancel={onClose} onSubmit={() => deleteAccount(username, password)}>
        <Field label={`Type ${username} to confirm`} value={typed} onInput={setTyped} plain autofocus />
        {profile.value?.hasPassword && <PasswordField label="Password" value={password} onInput={setPassword} again />}
      </Form>
    </Dialog>
  );
}
