/** Everybody with an account. */

import { useEffect, useState } from 'preact/hooks';
import type { UserAccount } from '../gen/leapmux/v1/administration_pb';
import { account } from '../state/account';
import { listUsers } from '../state/administration';
import { Asking } from '../ui/Asking';
import { Menu } from '../ui/Menu';
import { day, displayText, moment, plural } from '../ui/text';
import { useList } from '../ui/useList';
import { CreateUser } from './CreateUser';
import { UserDialog, userItems, type UserOrder } from './UserOrders';

const TYPING_MS = 250;

export function Users() {
  const [typed, setTyped] = useState('');
  const [search, setSearch] = useState('');
  const [creating, setCreating] = useState(false);
  const [order, setOrder] = useState<UserOrder>();
  useEffect(() => {
    const timer = setTimeout(() => setSearch(typed.trim()), TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  const list = useList(async (after) => {
    const page = await listUsers(search, after);
    return { items: page.users, next: page.nextAfter };
  }, [search]);
  return (
    <section class="settings-part stretch" aria-labelledby="users-title">
      <div class="part-head">
        <h2 id="users-title">Users</h2>
        <input class="search" type="search" aria-label="Find users by name or address" placeholder="Find by name or address" value={typed} autocomplete="off" spellcheck={false}
          onInput={(event) => setTyped(event.currentTarget.value)} />
        <button class="primary" onClick={() => setCreating(true)}>New user…</button>
      </div>
      <Asking of={list} />
      {list.value && list.items.length === 0 && <p class="hint" role="status">{search === '' ? 'Nobody has an account.' : `Nobody is called “${displayText(search, 40)}”.`}</p>}
      <ul class="records" aria-label="Users">
        {list.items.map((user) => <UserRecord key={user.userId} user={user} onOrder={(kind) => setOrder({ kind, user })} />)}
      </ul>
      {list.more && <button onClick={() => void list.more?.()}>More</button>}
      {creating && <CreateUser onClose={() => setCreating(false)} onMade={() => void list.again()} />}
      {order && <UserDialog order={order} onClose={() => setOrder(undefined)} onDone={() => void list.again()} />}
    </section>
  );
}

function UserRecord({ user, onOrder }: { user: UserAccount; onOrder: (kind: UserOrder['kind']) => void }) {
  const name = displayText(user.username, 60);
  const who = account.value;
  const me = who.state === 'signed-in' && who.userId === user.userId;
  const full = displayText(user.displayName, 80);
  const locked = Number(user.lockedUntilUnixMs);
  return (
    <li class="record">
      <div class="record-main">
        <h3>
          {name}{full !== '' && full !== name && <span class="aside"> {full}</span>}
          {me && <span class="tag">you</span>}
          {user.admin && <span class="tag good">admin</span>}
          {user.disabled && <span class="tag warn">disabled</span>}
          {locked > Date.now() && <span class="tag warn">locked until {moment(locked)}</span>}
          {!user.hasPassword && <span class="tag">no password</span>}
        </h3>
        <p class="hint">
          {user.email === '' ? 'No address' : `${displayText(user.email, 80)}${user.emailVerified ? '' : ' (not confirmed)'}`}.{' '}
          {plural(user.logins, 'login')}, {plural(user.apiTokens, 'API token')}, {plural(user.workers, 'Worker')}. Since {day(Number(user.createdUnixMs))}.
        </p>
      </div>
      <div class="record-actions"><Menu of={name} items={userItems(user, me, onOrder)} /></div>
    </li>
  );
}
