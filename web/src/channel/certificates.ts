// The certificates that speak for this browser at a Worker, as the Hub keeps them. The Worker judges
// them; here only their number and size count.

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Signed, SignedSchema } from '../gen/leapmux/v1/channel_pb';
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
  return fitting(fromBinary(ListCertificatesResponseSchema, body).signed);
}

/**
 * As many as fit. Grants come before certificates of devices; where not all have room, some of each go
 * along: what the Worker has seen once it remembers.
 */
export function fitting(encoded: Uint8Array[]): Signed[] {
  const chosen = encoded.length <= MOST ? encoded : [...encoded.slice(0, MOST / 2), ...encoded.slice(-MOST / 2)];
  let room = MOST_BYTES;
  return chosen.filter((one) => (room -= one.length) >= 0).flatMap((one) => {
    try {
      return [fromBinary(SignedSchema, one)];
    } catch {
      return [];
    }
  });
}
