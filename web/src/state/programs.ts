/** Programs that want to act for a person: the command line's two ways to ask. */

import {
  AuthoriseCommandLineRequestSchema,
  AuthoriseCommandLineResponseSchema,
  DecideDeviceLoginRequestSchema,
  DecideDeviceLoginResponseSchema,
  DescribeDeviceLoginRequestSchema,
  DescribeDeviceLoginResponseSchema,
  type DescribeDeviceLoginResponse,
} from '../gen/leapmux/v1/tokens_pb';
import { rpc } from '../hub/rpc';

/** What a command line on this machine asks for, as it stands behind `#`. */
export interface Asking {
  client: string;
  challenge: string;
  redirectUri: string;
  state: string;
}

/** Undefined: nothing that may be answered. */
export function readAsking(fragment: string): Asking | undefined {
  const given = new URLSearchParams(fragment);
  const [client, challenge, redirectUri, state] = ['client', 'challenge', 'redirect_uri', 'state'].map((name) => given.get(name) ?? '');
  if (!client || !challenge || !redirectUri || state === undefined) return undefined;
  if (!/^[A-Za-z0-9_-]{43}$/.test(challenge) || !isLoopback(redirectUri)) return undefined;
  return { client, challenge, redirectUri, state };
}

/** Where an answer may go: to a port of this machine and nowhere else (RFC 8252, 7.3). */
export function isLoopback(text: string): boolean {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return false;
  }
  const here = url.hostname === '127.0.0.1' || url.hostname === '[::1]';
  return url.protocol === 'http:' && here && url.username === '' && url.password === '';
}

/** Resolves to where the page goes on, which the Hub made and this page checks. */
export async function authorise(asking: Asking): Promise<string> {
  const answer = await rpc('TokenService/AuthoriseCommandLine', AuthoriseCommandLineRequestSchema, asking, AuthoriseCommandLineResponseSchema);
  const [to, wanted] = [answer.redirectTo, new URL(asking.redirectUri)];
  if (!isLoopback(to) || new URL(to).host !== wanted.host) throw new Error('the Hub sent the answer elsewhere');
  return to;
}

/** Tells the waiting program that it may not (RFC 6749, 4.1.2.1). */
export function denial({ redirectUri, state }: Asking): string {
  const url = new URL(redirectUri);
  url.searchParams.set('error', 'access_denied');
  url.searchParams.set('state', state);
  return url.href;
}

export function describeDevice(userCode: string): Promise<DescribeDeviceLoginResponse> {
  return rpc('TokenService/DescribeDeviceLogin', DescribeDeviceLoginRequestSchema, { userCode }, DescribeDeviceLoginResponseSchema);
}

export async function decideDevice(userCode: string, approve: boolean): Promise<void> {
  await rpc('TokenService/DecideDeviceLogin', DecideDeviceLoginRequestSchema, { userCode, approve }, DecideDeviceLoginResponseSchema);
}
