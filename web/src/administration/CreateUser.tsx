import { useState } from 'preact/hooks';
import { createUser } from '../state/administration';
import { NAME_HINT, emailProblem, nameProblem, passwordProblem } from '../state/names';
import { toast } from '../state/toasts';
import { Dialog } from '../ui/Dialog';
import { Field, PasswordField } from '../ui/Field';
import { Form } from '../ui/Form';

export function CreateUser({ onClose, onMade }: { onClose: () => void; onMade: () => void }) {
  const [username, setUsername] = useState('');
  const [displayName, setDisplayName] = useState('');
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [admin, setAdmin] = useState(false);
  const user = { username: username.trim(), displayName: displayName.trim(), email: email.trim(), password, admin };
  const check = () => nameProblem(user.username) ?? (user.email === '' ? undefined : emailProblem(user.email)) ?? passwordProblem(password);
  const words = { already_exists: 'A user or an organisation has this name, or a user this address. Choose another one.' };
  return (
    <Dialog title="New user" onClose={onClose}>
      <Form verb="Make the user" doing="Making…" check={check} words={words} onCancel={onClose}
        onSubmit={async () => {
          await createUser(user);
          toast(`${user.username} can sign in.`);
          onMade();
          onClose();
        }}>
        <Field label="User name" value={username} onInput={setUsername} plain maxLength={40} hint={NAME_HINT} autofocus again />
        <Field label="Full name (optional)" value={displayName} onInput={setDisplayName} maxLength={80} />
        <Field label="E-mail (optional)" type="email" value={email} onInput={setEmail} plain hint="Taken as confirmed: be sure that it is theirs." />
        <PasswordField label="Password" value={password} onInput={setPassword} fresh />
        <label class="check">
          <input type="checkbox" checked={admin} onChange={(event) => setAdmin(event.currentTarget.checked)} />
          <span>Admin of this Hub</span>
        </label>
      </Form>
    </Dialog>
  );
}
