// The outer message, all that the Hub reads: a kind, then a frame or a Control.

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Bytes, concat, u32, u64 } from '../crypto/wire';
import { type Control, ControlSchema } from '../gen/leapmux/v1/channel_pb';

export const HEADER_LEN = 30;
export const CIPHERTEXT_MIN = 17;
export const CIPHERTEXT_MAX = 65_535;
export const FLAG_MORE = 1;

const CHANNEL_LEN = 16;
const KIND_FRAME = 0;
const KIND_CONTROL = 1;

export interface Frame {
  channelId: Bytes;
  epoch: number;
  correlation: bigint;
  flags: number;
  ciphertext: Bytes;
}
export type Outer = { kind: 'frame'; frame: Frame } | { kind: 'control'; body: Control['body'] };
export type ControlBody = Control['body'];

export function encodeFrame(frame: Frame): Bytes {
  return concat(
    Uint8Array.of(KIND_FRAME),
    frame.channelId,
    u32(frame.epoch),
    u64(frame.correlation),
    Uint8Array.of(frame.flags),
    frame.ciphertext,
  );
}

export function encodeControl(body: ControlBody): Bytes {
  return concat(Uint8Array.of(KIND_CONTROL), toBinary(ControlSchema, create(ControlSchema, { body })));
}

/** Undefined for what is no outer message. Sizes and flags of a frame are the tally's to judge. */
export function decodeOuter(message: Bytes): Outer | undefined {
  if (message[0] === KIND_CONTROL) return decodeControl(message.subarray(1));
  if (message[0] !== KIND_FRAME || message.length < HEADER_LEN) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const at = 1 + CHANNEL_LEN;
  return {
    kind: 'frame',
    frame: {
      channelId: message.slice(1, at),
      epoch: view.getUint32(at),
      correlation: view.getBigUint64(at + 4),
      flags: view.getUint8(at + 12),
      ciphertext: message.subarray(HEADER_LEN),
    },
  };
}

/** Correlation id and flags: the Hub can read both and alter neither. */
export const associatedData = (correlation: bigint, flags: number): Bytes => concat(u64(correlation), Uint8Array.of(flags));

function decodeControl(bytes: Bytes): Outer | undefined {
  try {
    const { body } = fromBinary(ControlSchema, bytes);
    return body.case === undefined ? undefined : { kind: 'control', body };
  } catch {
    return undefined;
  }
}
