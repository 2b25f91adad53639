/** Accounts elsewhere: whom the Hub believes, and which are linked to this one. */

import {
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

/** Where the way to a provider begins; it leads back to a path of this page. */
export function startPath(providerId: string, back: string): string {
  return `/oauth/start/${encodeURIComponent(providerId)}?redirect=${encodeURIComponent(back)}`;
}
