// The Worker's key and live mode as the Hub states them, over Connect unary. To be compared with the
// pin before anything else.

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { Mode } from '../crypto/mode';
import type { Bytes } from '../crypto/wire';
import { GetHandshakeParametersRequestSchema, GetHandshakeParametersResponseSchema } from '../gen/leapmux/v1/workers_pb';
import { EncryptionMode } from '../gen/leapmux/v1/worker_pb';
import { unary } from './unary';

const METHOD = 'WorkerService/GetHandshakeParameters';

export interface Parameters {
  publicKey: Bytes;
  mode: Mode;
  online: boolean;
  /** An encoded Signed; empty = none. */
  rotation: Bytes;
  /** By which the Worker came, and its tag over the key; empty = the Hub names none. */
  registrationId?: string;
  registrationTag?: Bytes;
}

export type ParametersReason = 'credential' | 'not_found' | 'unreachable' | 'quota' | 'malformed';

export class ParametersError extends Error {
  constructor(readonly reason: ParametersReason, readonly retryAfter = 0) {
    super(reason);
  }
}

export async function fetchParameters(workerId: string, fetcher: typeof fetch = fetch): Promise<Parameters> {
  const request = create(GetHandshakeParametersRequestSchema, { workerId });
  const { response, body } = await unary(fetcher, METHOD, toBinary(GetHandshakeParametersRequestSchema, request))
    .catch(() => { throw new ParametersError('unreachable'); });
  if (!response.ok) throw refused(response);
  return parse(body);
}

function refused(response: Response): ParametersError {
  const seconds = Number(response.headers.get('Retry-After') ?? 0);
  const hint = Number.isFinite(seconds) ? seconds * 1000 : 0;
  switch (response.status) {
    case 401: return new ParametersError('credential');
    case 403: case 404: return new ParametersError('not_found');
    case 429: return new ParametersError('quota', hint);
    default: return new ParametersError('unreachable', hint);
  }
}

function parse(body: Uint8Array): Parameters {
  try {
    const answer = fromBinary(GetHandshakeParametersResponseSchema, body);
    const mode = modeOf(answer.encryptionMode);
    const { publicKey, online, rotationCertificate, registrationId, registrationTag } = answer;
    return {
      publicKey: publicKey as Bytes, mode, online, rotation: rotationCertificate as Bytes,
      registrationId, registrationTag: registrationTag as Bytes,
    };
  } catch {
    throw new ParametersError('malformed');
  }
}

function modeOf(mode: EncryptionMode): Mode {
  if (mode === EncryptionMode.CLASSIC) return 'classic';
  if (mode === EncryptionMode.POST_QUANTUM) return 'post-quantum';
  throw new ParametersError('malformed');
}
