/** What a person is told when the Hub did not do as asked: what is wrong and what to do. Pure. */

import { displayText } from '../ui/text';
import { RpcFailure } from './rpc';

/** Sentences that fit one place better than the general ones. */
export type Words = Partial<Record<string, string>>;

const SENTENCES: Readonly<Record<string, string>> = {
  unauthenticated: 'You are signed out. Sign in again.',
  permission_denied: 'Your role does not allow this. Ask somebody who may.',
  not_found: 'It is not there any more, or was never yours to see. Reload the page.',
  already_exists: 'This name is taken. Choose another one.',
  aborted: 'Somebody else was faster. Reload the page and try again.',
  resource_exhausted: 'Too many attempts.',
  unavailable: 'The Hub is busy or restarting.',
  unimplemented: 'This Hub does not offer that. It may be older than this page: reload it.',
  deadline_exceeded: 'The Hub took too long. Try again.',
  unreachable: 'The Hub cannot be reached. Check the connection and try again.',
};

/** Codes with which the Hub says in its own words what has to be true first. */
const SAYS_ITSELF = new Set(['failed_precondition', 'invalid_argument']);

export function sentence(error: unknown, words: Words = {}): string {
  if (!(error instanceof RpcFailure)) return 'Something went wrong on this page. Reload it and try again.';
  const text = words[error.code] ?? general(error);
  return error.retryAfter === undefined ? text : `${text} Try again in ${lasting(error.retryAfter)}.`;
}

function general(error: RpcFailure): string {
  if (error.wrongSecret) return spoken(error.said);
  if (error.code === 'resource_exhausted' && error.said.startsWith('a quota')) return spoken(error.said);
  if (SAYS_ITSELF.has(error.code) && error.said !== '') return spoken(error.said);
  return SENTENCES[error.code] ?? 'The Hub could not do this. Try again in a moment.';
}

/** `the code is wrong` as a sentence. */
function spoken(said: string): string {
  const text = displayText(said, 200);
  const end = /[.!?…]$/.test(text) ? '' : '.';
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${end}`;
}

/** How long `seconds` are, short enough for a button. */
export function lasting(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
