/**
 * Calls to the Hub: Connect unary, JSON, same origin. What travels here the Hub can read; nothing
 * of a terminal ever does.
 */

import { create, fromJson, toJson, type DescMessage, type JsonValue } from '@bufbuild/protobuf';
import type { MessageInitShape, MessageShape } from '@bufbuild/protobuf';

const TIMEOUT_MS = 15_000;

/** Why the Hub did not answer as asked; `code` is Connect's, or `unreachable`. */
export class RpcFailure extends Error {
  constructor(readonly code: string) {
    super(`the Hub answered ${code}`);
  }
}

export async function rpc<I extends DescMessage, O extends DescMessage>(
  method: `${string}/${string}`,
  input: I,
  init: MessageInitShape<I>,
  output: O,
): Promise<MessageShape<O>> {
  const response = await post(method, toJson(input, create(input, init)));
  const body: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw new RpcFailure(codeOf(response.status, body));
  return fromJson(output, body as JsonValue, { ignoreUnknownFields: true });
}

async function post(method: string, body: JsonValue): Promise<Response> {
  try {
    return await fetch(`/leapmux.v1.${method}`, {
      method: 'POST',
      credentials: 'same-origin',
      headers: { 'content-type': 'application/json', 'connect-protocol-version': '1' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new RpcFailure('unreachable');
  }
}

function codeOf(status: number, body: unknown): string {
  const code = (body as { code?: unknown } | undefined)?.code;
  if (typeof code === 'string' && /^[a-z_]{1,32}$/.test(code)) return code;
  return status === 401 ? 'unauthenticated' : 'unknown';
}
