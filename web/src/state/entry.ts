/** The ways into an account. Each throws what the Hub refused. */

import {
  ConfirmEmailRequestSchema,
  ConfirmEmailResponseSchema,
  RequestPasswordResetRequestSchema,
  RequestPasswordResetResponseSchema,
  ResetPasswordRequestSchema,
  ResetPasswordResponseSchema,
  SetUpRequestSchema,
  SetUpResponseSchema,
  SignInRequestSchema,
  SignInResponseSchema,
  SignUpRequestSchema,
  SignUpResponseSchema,
} from '../gen/leapmux/v1/accounts_pb';
import { rpc } from '../hub/rpc';
import { account, recheck, whoAmI } from './account';

export interface Names {
  username: string;
  password: string;
  displayName: string;
}

export async function signIn(username: string, password: string): Promise<void> {
  await rpc('AccountService/SignIn', SignInRequestSchema, { username, password }, SignInResponseSchema);
  await whoAmI();
}

/** For the operator: the access token of the data folder is worth a login. */
export async function signInWithToken(accessToken: string): Promise<void> {
  await rpc('AccountService/SignIn', SignInRequestSchema, { accessToken }, SignInResponseSchema);
  await whoAmI();
}

export async function setUp(accessToken: string, names: Names): Promise<void> {
  await rpc('AccountService/SetUp', SetUpRequestSchema, { accessToken, ...names }, SetUpResponseSchema);
  await signedIn(names);
}

export async function signUp(names: Names, email: string, invitation: string): Promise<void> {
  await rpc('AccountService/SignUp', SignUpRequestSchema, { ...names, email, invitation }, SignUpResponseSchema);
  await signedIn(names);
}

/** The answer may have brought a cookie; where it has not, the password does. */
async function signedIn({ username, password }: Names): Promise<void> {
  await whoAmI();
  if (account.peek().state === 'signed-out') await signIn(username, password);
}

export async function requestReset(email: string): Promise<void> {
  await rpc('AccountService/RequestPasswordReset', RequestPasswordResetRequestSchema, { email }, RequestPasswordResetResponseSchema);
}

export async function resetPassword(code: string, newPassword: string): Promise<void> {
  await rpc('AccountService/ResetPassword', ResetPasswordRequestSchema, { code, newPassword }, ResetPasswordResponseSchema);
}

/** Resolves to the address that is confirmed now. */
export async function confirmEmail(code: string): Promise<string> {
  const { email } = await rpc('AccountService/ConfirmEmail', ConfirmEmailRequestSchema, { code }, ConfirmEmailResponseSchema);
  await recheck();
  return email;
}
