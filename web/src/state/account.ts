/** Who is at the page. */

import { signal } from '@preact/signals';
import {
  SignOutRequestSchema,
  SignOutResponseSchema,
  WhoAmIRequestSchema,
  WhoAmIResponseSchema,
  type WhoAmIResponse,
} from '../gen/leapmux/v1/accounts_pb';
import { RpcFailure, onDoubt, rpc } from '../hub/rpc';
import { retryDelayMs } from '../hub/retry';
import { displayText } from '../ui/text';

export type Account =
  | { state: 'asking' }
  | { state: 'unreachable'; attempt: number }
  | { state: 'signed-out'; why?: 'ended' }
  | { state: 'signed-in'; userId: string; username: string; solo: boolean; version: string };

export const account = signal<Account>({ state: 'asking' });

/** What the Hub says of itself, to anybody. */
export interface HubFacts {
  version: string;
  solo: boolean;
  /** Nobody has given the first admin a password yet. */
  setUpRequired: boolean;
  signUpOpen: boolean;
  mail: boolean;
}

export const hub = signal<HubFacts>({ version: '', solo: false, setUpRequired: false, signUpOpen: false, mail: false });

/** What only the person's own pages need to know. */
export interface Profile {
  displayName: string;
  email: string;
  emailVerified: boolean;
  admin: boolean;
  hasPassword: boolean;
  organisationId: string;
  credentialId: string;
}

export const profile = signal<Profile | undefined>(undefined);

/** Whoever was signed in when this page began to work: its channels and its layout are theirs. */
let owner: string | undefined;

const endListeners = new Set<() => void>();

/** Hears, once, that the person is signed out: whatever works in their name stops. */
export function onSignedOut(listener: () => void): void {
  endListeners.add(listener);
}

/** Asks until the Hub answers. */
export async function whoAmI(attempt = 0): Promise<void> {
  try {
    const me = await ask();
    if (me.signedIn && owner !== undefined) return freshPage();
    owner = me.signedIn ? me.userId : owner;
    account.value = me.signedIn
      ? {
          state: 'signed-in',
          userId: me.userId,
          username: displayText(me.username, 60),
          solo: me.solo,
          version: hub.value.version,
        }
      : { state: 'signed-out' };
  } catch {
    account.value = { state: 'unreachable', attempt };
    setTimeout(() => void whoAmI(attempt + 1), retryDelayMs(attempt, Math.random()));
  }
}

/** Something was refused or has changed: is this page still signed in, and as the same person? */
export async function recheck(): Promise<void> {
  try {
    const me = await ask();
    if (!me.signedIn) ended();
    else if (owner !== undefined && me.userId !== owner) freshPage();
  } catch (error) {
    if (error instanceof RpcFailure && error.code === 'unauthenticated') ended();
  }
}

/** The login is over, not by this page's doing. Nothing of it may go on until somebody signs in again. */
export function ended(): void {
  if (account.peek().state === 'signed-out') return;
  account.value = { state: 'signed-out', why: 'ended' };
  profile.value = undefined;
  endListeners.forEach((stop) => stop());
}

onDoubt(() => {
  if (account.peek().state === 'signed-in') void recheck();
});

async function ask(): Promise<WhoAmIResponse> {
  const me = await rpc('AccountService/WhoAmI', WhoAmIRequestSchema, {}, WhoAmIResponseSchema);
  hub.value = {
    version: displayText(me.hubVersion, 40),
    solo: me.solo,
    setUpRequired: me.setupRequired,
    signUpOpen: me.signUpOpen,
    mail: me.mailAvailable,
  };
  const { displayName, email, emailVerified, admin, hasPassword, organisationId, credentialId } = me;
  profile.value = me.signedIn
    ? { displayName, email, emailVerified, admin, hasPassword, organisationId, credentialId }
    : undefined;
  return me;
}

/** The surest way to leave no key, no channel and no screen of before behind. */
export function freshPage(): void {
  location.assign('/');
}

export async function signOut(): Promise<void> {
  await rpc('AccountService/SignOut', SignOutRequestSchema, {}, SignOutResponseSchema).catch(
    () => undefined,
  );
  freshPage();
}
