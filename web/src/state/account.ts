/** Who is at the page. */

import { signal } from '@preact/signals';
import {
  SignInRequestSchema,
  SignInResponseSchema,
  SignOutRequestSchema,
  SignOutResponseSchema,
  WhoAmIRequestSchema,
  WhoAmIResponseSchema,
} from '../gen/leapmux/v1/accounts_pb';
import { RpcFailure, rpc } from '../hub/rpc';
import { retryDelayMs } from '../hub/retry';
import { displayText } from '../ui/text';

export type Account =
  | { state: 'asking' }
  | { state: 'unreachable'; attempt: number }
  | { state: 'signed-out' }
  | { state: 'signed-in'; userId: string; username: string; solo: boolean; version: string };

export const account = signal<Account>({ state: 'asking' });

/** Whoever was signed in when this page began to work: its channels and its layout are theirs. */
let owner: string | undefined;

/** Asks until the Hub answers. */
export async function whoAmI(attempt = 0): Promise<void> {
  try {
    const me = await rpc('AccountService/WhoAmI', WhoAmIRequestSchema, {}, WhoAmIResponseSchema);
    if (me.signedIn && owner !== undefined) return freshPage();
    owner = me.signedIn ? me.userId : owner;
    account.value = me.signedIn
      ? {
          state: 'signed-in',
          userId: me.userId,
          username: displayText(me.username, 60),
          solo: me.solo,
          version: displayText(me.hubVersion, 40),
        }
      : { state: 'signed-out' };
  } catch {
    account.value = { state: 'unreachable', attempt };
    setTimeout(() => void whoAmI(attempt + 1), retryDelayMs(attempt, Math.random()));
  }
}

/** Something was refused: is this page still signed in, and as the same person? */
export async function recheck(): Promise<void> {
  try {
    const me = await rpc('AccountService/WhoAmI', WhoAmIRequestSchema, {}, WhoAmIResponseSchema);
    if (!me.signedIn) account.value = { state: 'signed-out' };
    else if (owner !== undefined && me.userId !== owner) freshPage();
  } catch (error) {
    if (error instanceof RpcFailure && error.code === 'unauthenticated') account.value = { state: 'signed-out' };
  }
}

/** The surest way to leave no key, no channel and no screen of before behind. */
export function freshPage(): void {
  location.assign('/');
}

/** Trades the token for a cookie. Resolves to a sentence for the person when it was refused. */
export async function signIn(accessToken: string): Promise<string | undefined> {
  try {
    await rpc('AccountService/SignIn', SignInRequestSchema, { accessToken }, SignInResponseSchema);
  } catch (error) {
    return refusal(error instanceof RpcFailure ? error.code : 'unknown');
  }
  await whoAmI();
  return undefined;
}

export async function signOut(): Promise<void> {
  await rpc('AccountService/SignOut', SignOutRequestSchema, {}, SignOutResponseSchema).catch(
    () => undefined,
  );
  freshPage();
}

function refusal(code: string): string {
  switch (code) {
    case 'unauthenticated':
    case 'permission_denied':
      return 'The Hub does not accept this token. Check that all of it was copied.';
    case 'resource_exhausted':
      return 'Too many attempts. Wait a minute, then try again.';
    case 'invalid_argument':
      return 'This does not look like an access token.';
    case 'unreachable':
      return 'The Hub cannot be reached. Check the connection and try again.';
    default:
      return 'The Hub could not sign you in. Try again in a moment.';
  }
}
