// Machine-readable labels of why something ended: the protocol's enums in lower case.

import { CloseReason, FailureReason, RefusalReason } from '../gen/leapmux/v1/channel_pb';

type Labels = Record<number, string | undefined>;

const label = (names: Labels, value: number): string => {
  const name = names[value];
  return name === undefined || value === 0 ? 'protocol_error' : name.toLowerCase();
};

export const closeLabel = (reason: CloseReason): string => label(CloseReason as unknown as Labels, reason);
export const refusalLabel = (reason: RefusalReason): string => label(RefusalReason as unknown as Labels, reason);
export const failureLabel = (reason: FailureReason): string => label(FailureReason as unknown as Labels, reason);

const LEAVES = new Set([CloseReason.CONNECTION_LOST, CloseReason.DRAINING, CloseReason.MOVED]);

/** Only the path has gone: the channel may be attached again. Every other reason is final. */
export const leavesAttachable = (reason: CloseReason): boolean => LEAVES.has(reason);

export { CloseReason, FailureReason, RefusalReason };
