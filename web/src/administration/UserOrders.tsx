/** What an admin may do with one user, each asked for once more. */

import { useState } from 'preact/hooks';
import type { UserAccount } from '../gen/leapmux/v1/administration_pb';
import * as admin from '../state/administration';
import { passwordProblem } from '../state/names';
import { toast } from '../state/toasts';
import { Confirm } from '../ui/Confirm';
import { Dialog } from '../ui/Dialog';
import { PasswordField } from '../ui/Field';
import { Form } from '../ui/Form';
import type { Item } from '../ui/Menu';
import { displayText, plural } from '../ui/text';

type Kind = 'disable' | 'enable' | 'grant' | 'withdraw' | 'log-out' | 'password' | 'delete';

export interface UserOrder {
  kind: Kind;
  user: UserAccount;
}

/** Nobody may lock themselves out by a slip. */
export function userItems(user: UserAccount, me: boolean, onOrder: (kind: Kind) => void): Item[] {
  const item = (name: string, kind: Kind, danger = false): Item => ({ name, danger, run: () => onOrder(kind) });
  return [
    item('Set a new password…', 'password'),
    item('Log out everywhere…', 'log-out'),
    ...(me ? [] : [
      user.admin ? item('Withdraw admin…', 'withdraw') : item('Make admin…', 'grant'),
      user.disabled ? item('Enable…', 'enable') : item('Disable…', 'disable'),
      item('Delete…', 'delete', true),
    ]),
  ];
}

interface Props {
  order: UserOrder;
  onClose: () => void;
  onDone: () => void;
}

export function UserDialog({ order: { kind, user }, onClose, onDone }: Props) {
  const name = displayText(user.username, 60);
  if (kind === 'password') return <NewPassword user={user} name={name} onClose={onClose} onDone={onDone} />;
  const { title, verb, doing, text, act } = asked(kind, user, name);
  return (
    <Confirm title={title} verb={verb} doing={doing} typed={kind === 'delete' ? name : undefined} onClose={onClose}
      onConfirm={async () => {
        toast(await act());
        onDone();
      }}>
      <p>{text}</p>
    </Confirm>
  );
}

interface Question {
  title: string;
  verb: string;
  doing: string;
  text: string;
  /** Resolves to what to tell. */
  act: () => Promise<string>;
}

function asked(kind: Exclude<Kind, 'password'>, { userId, username }: UserAccount, name: string): Question {
  switch (kind) {
    case 'disable':
      return {
        title: `Disable ${name}?`, verb: 'Disable', doing: 'Disabling…',
        text: 'Nobody gets in as this user any more; all logins and tokens end, and what is connected with them closes at once. Workspaces and Workers stay.',
        act: async () => (await admin.setDisabled(userId, true), `${name} is disabled.`),
      };
    case 'enable':
      return {
        title: `Enable ${name}?`, verb: 'Enable', doing: 'Enabling…', text: 'This user can sign in again.',
        act: async () => (await admin.setDisabled(userId, false), `${name} is enabled.`),
      };
    case 'grant':
      return {
        title: `Make ${name} an admin?`, verb: 'Make admin', doing: 'Making admin…',
        text: 'An admin can do to this Hub and its users all that you can, to you too. It opens nobody’s channels.',
        act: async () => (await admin.setAdmin(userId, true), `${name} is an admin.`),
      };
    case 'withdraw':
      return {
        title: `Withdraw admin from ${name}?`, verb: 'Withdraw', doing: 'Withdrawing…', text: 'This user keeps the account and all that belongs to it.',
        act: async () => (await admin.setAdmin(userId, false), `${name} is no admin any more.`),
      };
    case 'log-out':
      return {
        title: `Log ${name} out everywhere?`, verb: 'Log out', doing: 'Logging out…',
        text: 'All logins and API tokens end, and what is connected with them closes at once. Signing in again is possible.',
        act: async () => `${plural(await admin.forceLogout(userId), 'credential')} of ${name} ended.`,
      };
    case 'delete':
      return {
        title: `Delete ${name}?`, verb: 'Delete', doing: 'Deleting…',
        text: 'The account, its workspaces, shares and Workers go from this Hub at once and for good. To keep them, disable the user instead.',
        act: async () => (await admin.deleteUser(userId, username), `${name} is deleted.`),
      };
  }
}

function NewPassword({ user, name, onClose, onDone }: { user: UserAccount; name: string; onClose: () => void; onDone: () => void }) {
  const [password, setPassword] = useState('');
  return (
    <Dialog title={`New password for ${name}`} onClose={onClose} describedBy="new-password-text">
      <p id="new-password-text" class="muted">All logins and tokens of this user end. Hand the password over on a private line, and ask for it to be changed.</p>
      <Form verb="Set the password" doing="Setting…" check={() => passwordProblem(password)} onCancel={onClose}
        onSubmit={async () => {
          await admin.setPassword(user.userId, password);
          toast(`${name} has a new password.`);
          onDone();
          onClose();
        }}>
        <PasswordField label="New password" value={password} onInput={setPassword} fresh autofocus again />
      </Form>
    </Dialog>
  );
}
