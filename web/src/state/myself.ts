/** What a person changes about their own account. Each throws what the Hub refused. */

import {
  ChangePasswordRequestSchema,
  ChangePasswordResponseSchema,
  DeleteAccountRequestSchema,
  DeleteAccountResponseSchema,
  ListLoginsRequestSchema,
  ListLoginsResponseSchema,
  RequestEmailChangeRequestSchema,
  RequestEmailChangeResponseSchema,
  RevokeLoginRequestSchema,
  RevokeLoginResponseSchema,
  RevokeOtherLoginsRequestSchema,
  RevokeOtherLoginsResponseSchema,
  UpdateProfileRequestSchema,
  UpdateProfileResponseSchema,
  type Login,
} from '../gen/leapmux/v1/accounts_pb';
import { rpc } from '../hub/rpc';
import { freshPage, recheck } from './account';

export async function changeName(displayName: string): Promise<void> {
  await rpc('AccountService/UpdateProfile', UpdateProfileRequestSchema, { displayName }, UpdateProfileResponseSchema);
  await recheck();
}

export async function changeEmail(email: string, password: string): Promise<void> {
  await rpc('AccountService/RequestEmailChange', RequestEmailChangeRequestSchema, { email, password }, RequestEmailChangeResponseSchema);
  await recheck();
}

export async function changePassword(oldPassword: string, newPassword: string): Promise<void> {
  await rpc('AccountService/ChangePassword', ChangePasswordRequestSchema, { oldPassword, newPassword }, ChangePasswordResponseSchema);
  await recheck();
}

export async function deleteAccount(username: string, password: string): Promise<void> {
  await rpc('AccountService/DeleteAccount', DeleteAccountRequestSchema, { username, password }, DeleteAccountResponseSchema);
  freshPage();
}

/** This one first, then by last use. */
export async function listLogins(): Promise<Login[]> {
  const { logins } = await rpc('AccountService/ListLogins', ListLoginsRequestSchema, {}, ListLoginsResponseSchema);
  return logins.sort((a, b) => Number(b.thisOne) - Number(a.thisOne) || Number(b.lastUsedUnixMs - a.lastUsedUnixMs));
}

export async function revokeLogin(credentialId: string): Promise<void> {
  await rpc('AccountService/RevokeLogin', RevokeLoginRequestSchema, { credentialId }, RevokeLoginResponseSchema);
}

/** Resolves to how many there were. */
export async function revokeOtherLogins(): Promise<number> {
  return (await rpc('AccountService/RevokeOtherLogins', RevokeOtherLoginsRequestSchema, {}, RevokeOtherLoginsResponseSchema)).revoked;
}

/** A browser in a few words, from what it says of itself; undefined where that says nothing known. */
export function browserName(userAgent: string): string | undefined {
  const browser = /Edg\//.test(userAgent) ? 'Edge'
    : /OPR\//.test(userAgent) ? 'Opera'
    : /Firefox\//.test(userAgent) ? 'Firefox'
    : /Chrom(e|ium)\//.test(userAgent) ? 'Chrome'
    : /Safari\//.test(userAgent) ? 'Safari'
    : undefined;
  const system = /Android/.test(userAgent) ? 'Android'
    : /iPhone|iPad/.test(userAgent) ? 'iOS'
    : /Windows/.test(userAgent) ? 'Windows'
    : /Mac OS X/.test(userAgent) ? 'macOS'
    : /Linux|X11/.test(userAgent) ? 'Linux'
    : undefined;
  return browser && system ? `${browser} on ${system}` : browser;
}
