/** API tokens and what Workers gave to programs, of this person. */

import {
  CreateApiTokenRequestSchema,
  ListApiTokensRequestSchema,
  ListApiTokensResponseSchema,
  ListDelegationsRequestSchema,
  ListDelegationsResponseSchema,
  RevokeApiTokenRequestSchema,
  RevokeApiTokenResponseSchema,
  RevokeDelegationRequestSchema,
  RevokeDelegationResponseSchema,
  TokenPairSchema,
  type ApiToken,
  type Delegation,
  type TokenPair,
} from '../gen/leapmux/v1/tokens_pb';
import { rpc } from '../hub/rpc';

/** What a token may be good for, in the Hub's order. */
export const SCOPES = [
  { scope: 'read', what: 'Look at workspaces, organisations and their members' },
  { scope: 'workspaces', what: 'Make, change and share workspaces' },
  { scope: 'workers', what: 'Register and remove Workers' },
  { scope: 'organisations', what: 'Make organisations and change their members' },
  { scope: 'channels', what: 'See Workers and connect to them: run commands, open terminals' },
] as const;

export function createToken(label: string, scopes: string[], password: string): Promise<TokenPair> {
  return rpc('TokenService/CreateApiToken', CreateApiTokenRequestSchema, { label, scopes, password }, TokenPairSchema);
}

export async function listTokens(): Promise<ApiToken[]> {
  return (await rpc('TokenService/ListApiTokens', ListApiTokensRequestSchema, {}, ListApiTokensResponseSchema)).tokens;
}

export async function revokeToken(tokenId: string): Promise<void> {
  await rpc('TokenService/RevokeApiToken', RevokeApiTokenRequestSchema, { tokenId }, RevokeApiTokenResponseSchema);
}

export async function listDelegations(): Promise<Delegation[]> {
  return (await rpc('TokenService/ListDelegations', ListDelegationsRequestSchema, {}, ListDelegationsResponseSchema)).delegations;
}

export async function revokeDelegation(credentialId: string): Promise<void> {
  await rpc('TokenService/RevokeDelegation', RevokeDelegationRequestSchema, { credentialId }, RevokeDelegationResponseSchema);
}
