/** A person wants a channel that is not open, or no more. */

import { account, freshPage } from './account';
import { channels, statuses } from './channels';
import { doubtsSignIn } from './status';

/** The word on the button, where there is something to do. */
export function reopening(workerId: string): 'Connect' | 'Try again' | 'Sign in again' | undefined {
  const status = statuses.value.get(workerId);
  if (!status || status.state === 'idle') return 'Connect';
  if (status.state !== 'closed') return undefined;
  return doubtsSignIn(status) ? 'Sign in again' : 'Try again';
}

/** A sign-in that is over is asked for by a fresh page; everything else by another attempt. */
export function reopen(workerId: string): void {
  const who = account.peek();
  const status = statuses.peek().get(workerId);
  if (status && doubtsSignIn(status)) freshPage();
  else if (who.state === 'signed-in') channels().open(workerId, who.userId);
}
