/** Accounts elsewhere: whom the Hub believes, and which are linked to this one. */

import {
  BeginLinkRequestSchema,
  BeginLinkResponseSchema,
  ListLinkedAccountsRequestSchema,
  ListLinkedAccountsResponseSchema,
  ListProvidersRequestSchema,
  ListProvidersResponseSchema,
  UnlinkAccountRequestSchema,
  UnlinkAccountResponseSchema,
  type LinkedAccount,
  type Provider,
} from '../gen/leapmux/v1/accounts_pb';
import { rpc } from '../hub/rpc';

export async function listProviders(): Promise<Provider[]> {
  return (await rpc('AccountService/ListProviders', ListProvidersRequestSchema, {}, ListProvidersResponseSchema)).providers;
}

export async function listLinked(): Promise<LinkedAccount[]> {
  return (await rpc('AccountService/ListLinkedAccounts', ListLinkedAccountsRequestSchema, {}, ListLinkedAccountsResponseSchema)).accounts;
}

export async function unlink({ providerId, subject }: LinkedAccount): Promise<void> {
  await rpc('AccountService/UnlinkAccount', UnlinkAccountRequestSchema, { providerId, subject }, UnlinkAccountResponseSchema);
}

/** Lets this login link one account elsewhere; the Hub wants the password of an account that has one. */
export async function beginLink(password: string): Promise<void> {
  await rpc('AccountService/BeginLink', BeginLinkRequestSchema, { password }, BeginLinkResponseSchema);
}

/** Where the way to a link begins, once that was let. */
export function linkPath(providerId: string, back: string): string {
  return `${startPath(providerId, back)}&link=1`;
}

/** Where the way to a provider begins; it leads back to a path of this page. */
export function startPath(providerId: string, back: string): string {
  return `/oauth/start/${encodeURIComponent(providerId)}?redirect=${encodeURIComponent(back)}`;
}

const REFUSALS: Readonly<Record<string, string>> = {
  denied: 'You did not allow it at the provider.',
  expired: 'That took too long, or was begun in another browser. Try again.',
  no_account: 'Nobody here has linked this account. Sign in another way and link it in the settings.',
  taken: 'This account is linked to somebody else here. Unlink it there first.',
  disabled: 'Your account may not be used. Ask whoever runs this Hub.',
  limited: 'Too many attempts. Wait a minute, then try again.',
};

/** Why the way to a provider led nowhere, said once: the Hub puts a word for it into the address. */
export function takeRefusal(): string | undefined {
  const url = new URL(location.href);
  const word = url.searchParams.get('oauth_error');
  if (word === null) return undefined;
  url.searchParams.delete('oauth_error');
  history.replaceState(null, '', url.pathname + url.search + url.hash);
  return REFUSALS[word] ?? 'The provider did not let you in. Try again, or use another way.';
}
