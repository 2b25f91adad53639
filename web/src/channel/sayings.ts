// The messages that a session itself makes, ready to encode.

import { create, toBinary } from '@bufbuild/protobuf';
import type { SignedParts } from '../crypto/signed';
import type { Bytes } from '../crypto/wire';
import { type Signed, UserIdClaimSchema } from '../gen/leapmux/v1/channel_pb';
import { encodeInner } from './mux';
import type { ControlBody } from './outer';
import type { CloseReason } from './reasons';

export const openControl = (channelId: Bytes, workerId: string, noise: Bytes): ControlBody => ({
  case: 'open',
  value: { $typeName: 'leapmux.v1.Open', channelId, workerId, noise, workspaces: [], maxMessageBytes: 0 },
});

export const closeControl = (channelId: Bytes, epoch: number, reason: CloseReason): ControlBody => ({
  case: 'close',
  value: { $typeName: 'leapmux.v1.Close', channelId, epoch, reason },
});

/** The body that the device signs. */
export const claimBody = (userId: string): Bytes =>
  toBinary(UserIdClaimSchema, create(UserIdClaimSchema, { userId })) as Bytes;

export const claimMessage = (signed: SignedParts, certificates: Signed[]): Bytes => encodeInner({
  case: 'claim',
  value: { $typeName: 'leapmux.v1.Claim', signed: { $typeName: 'leapmux.v1.Signed', ...signed }, certificates },
});
