// The certificates that speak for this browser at a Worker, as the Hub keeps them. The Worker judges
// them; here only their number and size count.

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { Mode } from '../crypto/mode';
import { deviceAlgorithm } from '../crypto/signed';
import { type Bytes, equalBytes } from '../crypto/wire';
import { DeviceCertificateSchema, type Signed, SignedSchema } from '../gen/leapmux/v1/channel_pb';
import { ListCertificatesRequestSchema, ListCertificatesResponseSchema } from '../gen/leapmux/v1/workspaces_pb';
import { unary } from './unary';

/** A Worker takes no more with a claim, and the claim has to fit into one frame. */
const MOST = 8;
const MOST_BYTES = 56 * 1024;
/** A claim without them may still be accepted: nobody waits long. */
const TIMEOUT_MS = 4_000;

export async function fetchCertificates(workerId: string, fetcher: typeof fetch = fetch): Promise<Signed[]> {
  const request = toBinary(ListCertificatesRequestSchema, create(ListCertificatesRequestSchema, { workerId }));
  const { response, body } = await unary(fetcher, 'WorkspaceService/ListCertificates', request, TIMEOUT_MS);
  if (!response.ok) return [];
  return fromBinary(ListCertificatesResponseSchema, body).signed.flatMap(decoded);
}

/**
 * As many as fit, of those that a Worker of this mode can read. What introduces this very device goes
 * first, then grants, the newest before older ones; certificates of the person's other devices stay here.
 */
export function fitting(all: Signed[], mode: Mode, ownKey: Bytes): Signed[] {
  const readable = all.filter(({ algorithm }) => algorithm === deviceAlgorithm(mode));
  const introduced = readable.map((one) => ({ one, key: introducedBy(one) }));
  const own = introduced.filter(({ key }) => key !== undefined && equalBytes(key, ownKey));
  const grants = introduced.filter(({ key }) => key === undefined);
  let room = MOST_BYTES;
  return [...own, ...grants].slice(0, MOST).map(({ one }) => one)
    .filter(({ key, body, signature }) => (room -= key.length + body.length + signature.length) >= 0);
}

/** The key that a certificate of a device is about; undefined for a grant, which does not read as one. */
function introducedBy({ body }: Signed): Bytes | undefined {
  try {
    const { deviceKey } = fromBinary(DeviceCertificateSchema, body);
    return deviceKey.length > 0 ? deviceKey as Bytes : undefined;
  } catch {
    return undefined;
  }
}

function decoded(bytes: Uint8Array): Signed[] {
  try {
    return [fromBinary(SignedSchema, bytes)];
  } catch {
    return [];
  }
}
