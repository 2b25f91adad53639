/**
 * Calls to the Hub: Connect unary, JSON, same origin. What travels here the Hub can read; nothing
 * of a terminal ever does.
 */

import { create, fromJson, toJson, type DescMessage, type JsonValue } from '@bufbuild/protobuf';
import type { MessageInitShape, MessageShape } from '@bufbuild/protobuf';

const TIMEOUT_MS = 15_000;
const LONGEST_WAIT_S = 24 * 3600;

/** Why the Hub did not answer as asked; `code` is Connect's, or `unreachable`. */
export class RpcFailure extends Error {
  constructor(
    readonly code: string,
    /** What the Hub said besides, one of its fixed sentences; shown through `refusals.ts`. */
    readonly said = '',
    /** Seconds until another attempt makes sense. */
    readonly retryAfter: number | undefined = undefined,
  ) {
    super(`the Hub answered ${code}`);
  }

  /** It is not the login that is wanting but what was typed. */
  get wrongSecret(): boolean {
    return this.code === 'unauthenticated' && /^the (access token|user name)/.test(this.said);
  }
}

let doubted: () => void = () => undefined;

/** Hears each time that the Hub answers as if nobody was signed in. */
export function onDoubt(listener: () => void): void {
  doubted = listener;
}

export async function rpc<I extends DescMessage, O extends DescMessage>(
  method: `${string}/${string}`,
  input: I,
  init: MessageInitShape<I>,
  output: O,
): Promise<MessageShape<O>> {
  const response = await post(method, toJson(input, create(input, init)));
  const body: unknown = await response.json().catch(() => undefined);
  if (!response.ok) {
    const failure = read(response, body);
    // Whoever doubts asks WhoAmI, whose own refusal would only ask again.
    if (failure.code === 'unauthenticated' && !failure.wrongSecret && !method.endsWith('/WhoAmI')) doubted();
    throw failure;
  }
  return fromJson(output, body as JsonValue, { ignoreUnknownFields: true });
}

/** Said while the page goes: it outlives the page, and nobody is there to hear the answer. */
export function lastWord<I extends DescMessage>(method: `${string}/${string}`, input: I, init: MessageInitShape<I>): void {
  void fetch(`/leapmux.v1.${method}`, {
    method: 'POST',
    keepalive: true,
    credentials: 'same-origin',
    headers: { 'content-type': 'application/json', 'connect-protocol-version': '1' },
    body: JSON.stringify(toJson(input, create(input, init))),
  }).catch(() => undefined);
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

function read(response: Response, body: unknown): RpcFailure {
  const { code, message } = (body ?? {}) as { code?: unknown; message?: unknown };
  const known = typeof code === 'string' && /^[a-z_]{1,32}$/.test(code);
  const seconds = Number(response.headers.get('retry-after') ?? NaN);
  return new RpcFailure(
    known ? code : response.status === 401 ? 'unauthenticated' : 'unknown',
    typeof message === 'string' ? message.slice(0, 300) : '',
    seconds >= 0 ? Math.min(LONGEST_WAIT_S, Math.ceil(seconds)) : undefined,
  );
}
