// Every number of the protocol that this end obeys or enforces. Times in milliseconds.

export const KIB = 1024;
export const MIB = 1024 * KIB;

/** Two ends that disagree about these break each other's channels; a test may make a minute short. */
export const LIMITS = {
  messageBytes: 16 * MIB,
  /** 16 MiB / 65,519 bytes. */
  chunks: 257,
  chunkTimeout: 30_000,
  windowFrames: 4_096,
  windowBytes: 4 * MIB,
  ackFrames: 64,
  ackBytes: 256 * KIB,
  ackDelay: 1_000,
  requests: 64,
  streams: 256,
  streamCredit: MIB,
  streamMessage: 256 * KIB,
  /** Requests and stream payload of the page that may wait here. */
  waitingRequests: 256,
  waitingStreamBytes: MIB,
  /** 10 s of the Hub and 5 s for the way. */
  openTimeout: 15_000,
  answerTimeout: 15_000,
  renewTimeout: 30_000,
  /** From the loss of the path to an accepted claim; the Worker gives up after as long. */
  detachedMax: 5 * 60_000,
  keyRenewalAge: 55 * 60_000,
  keyRenewalJitter: 3 * 60_000,
  keyAge: 70 * 60_000,
};
export type Limits = typeof LIMITS;

/** The message limit where the other end announced `announced` bytes; 0 = the protocol's. */
export const messageLimit = (limits: Limits, announced: number): number =>
  announced === 0 ? limits.messageBytes : Math.min(announced, limits.messageBytes);
