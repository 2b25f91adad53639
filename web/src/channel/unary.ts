// One Connect unary call of the thread, in protobuf's own bytes, to the page's own origin.

import type { Bytes } from '../crypto/wire';

const TIMEOUT_MS = 10_000;

export interface Answered { response: Response; body: Uint8Array }

/** Rejects when there is no whole answer; what the answer says is the caller's to judge. */
export async function unary(fetcher: typeof fetch, method: string, body: Uint8Array, timeout = TIMEOUT_MS): Promise<Answered> {
  const response = await fetcher(`/leapmux.v1.${method}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/proto', 'Connect-Protocol-Version': '1' },
    body: body as Bytes,
    credentials: 'same-origin',
    cache: 'no-store',
    redirect: 'error',
    signal: AbortSignal.timeout(timeout),
  });
  return { response, body: new Uint8Array(await response.arrayBuffer()) };
}
