// What passes between the page and the thread that owns the channels. Plain structured-clone data;
// bytes are moved, never copied.

export type ChannelState =
  | 'idle' | 'connecting' | 'securing' | 'proving' | 'ready' | 'reconnecting' | 'blocked' | 'closed';

export interface ChannelStatus {
  workerId: string;
  state: ChannelState;
  /** Label of a CloseReason, RefusalReason or FailureReason, or a local one such as `key_changed`. */
  reason?: string;
  /** For `device_not_trusted`: the four words of this device. */
  detail?: string;
  mode?: 'classic' | 'post-quantum';
  /** The four words of the Worker's key. */
  words?: string;
  /** Hex of BLAKE2b-256 of the Worker's composite key. */
  fullFingerprint?: string;
  verified?: boolean;
  firstSeen?: number;
  lastUsed?: number;
  /** Milliseconds since 1970 of the next attempt, while reconnecting. */
  retryAt?: number;
  rttMs?: number;
  /** The four words of this browser's own key. */
  deviceWords?: string;
  /** A pin that had not been used for a year was dropped just now. */
  pinDropped?: boolean;
}

export interface KeyFacts { words: string; full: string; mode: string }

export interface TrustQuestion {
  workerId: string;
  kind: 'key-changed' | 'mode-weaker' | 'key-and-mode';
  expected: KeyFacts & { firstSeen: number; lastUsed: number };
  actual: KeyFacts;
}
export type TrustAnswer = 'accept' | 'reject';

export interface PinRecord {
  workerId: string; words: string; full: string; mode: string;
  firstSeen: number; lastUsed: number; verified: boolean; label: string;
}

/** A registration key whose secret the page shows to the person, and nobody else. */
export interface RegistrationMade {
  registrationId: string; secret: string;
  algorithm: number; deviceKey: Uint8Array; deviceTag: Uint8Array;
}

/** What an owner lets somebody do in a workspace at one Worker. */
export interface GrantToSign {
  workerId: string; workspaceId: string; userId: string;
  deviceKey: Uint8Array; role: number; serial: bigint;
  /** Unix seconds. */
  expiresAt: number;
}

/** What this browser signed last for somebody in a workspace. */
export interface GrantSigned { workspaceId: string; userId: string; deviceKey: Uint8Array; role: number }

/** Another device of the same person. */
export interface DeviceToSign {
  mode: 'classic' | 'post-quantum';
  userId: string; key: Uint8Array; serial: bigint;
  /** Unix seconds. */
  expiresAt: number;
}

/** What only the holder of the keys can do, by name: what is asked and what comes back. */
export interface KeyWork {
  'begin-registration': { asked: { userId: string; mode: 'classic' | 'post-quantum' }; answer: RegistrationMade };
  'forget-registration': { asked: { registrationId: string }; answer: void };
  'own-device': { asked: { mode: 'classic' | 'post-quantum' }; answer: { algorithm: number; key: Uint8Array; words: string } };
  words: { asked: { key: Uint8Array }; answer: string };
  /**
   * Each answer is an encoded Signed, in the order of the grants. `acted`: a person decided it just now;
   * without it there is none where only a person may decide.
   */
  'sign-grants': { asked: { mode: 'classic' | 'post-quantum'; grants: GrantToSign[]; acted: boolean }; answer: (Uint8Array | undefined)[] };
  /** From this browser's own records. */
  'signed-grants': { asked: { workerId: string }; answer: GrantSigned[] };
  'sign-device': { asked: DeviceToSign; answer: Uint8Array };
}

/** An answer's error: a gRPC code and a text for people. */
export interface CallError { code: number; message: string }

/** What the page asks of the thread. `id` is chosen by the page and names one call or stream, save that of a trust question. */
export type ToThread =
  | { kind: 'open'; workerId: string; userId: string }
  | { kind: 'review'; workerId: string }
  | { kind: 'close'; workerId: string }
  | { kind: 'call'; id: number; workerId: string; method: string; payload: Uint8Array; workspaceId: string }
  | { kind: 'stream'; id: number; workerId: string; method: string; payload: Uint8Array; workspaceId: string }
  | { kind: 'stream-send'; id: number; data: Uint8Array }
  | { kind: 'stream-end'; id: number }
  | { kind: 'stream-cancel'; id: number }
  | { kind: 'stream-consumed'; id: number; bytes: number }
  | { kind: 'trust-answer'; id: number; answer: TrustAnswer }
  | { kind: 'work'; id: number; work: keyof KeyWork; asked: KeyWork[keyof KeyWork]['asked'] }
  | { kind: 'pins'; id: number }
  | { kind: 'forget-pin'; id: number; workerId: string }
  | { kind: 'mark-verified'; id: number; workerId: string; full: string };

/** What the thread tells the page. */
export type FromThread =
  | { kind: 'status'; status: ChannelStatus }
  /** `id` is chosen by the thread and names the question. */
  | { kind: 'trust'; id: number; question: TrustQuestion }
  /** The question stands no more: an answer to it would change nothing. */
  | { kind: 'trust-withdrawn'; id: number }
  | { kind: 'answer'; id: number; payload: Uint8Array }
  | { kind: 'pins'; id: number; pins: PinRecord[] }
  | { kind: 'worked'; id: number; answer: KeyWork[keyof KeyWork]['answer'] }
  | { kind: 'done'; id: number }
  | { kind: 'failed'; id: number; error: CallError }
  | { kind: 'stream-data'; id: number; data: Uint8Array }
  | { kind: 'stream-end'; id: number; error?: CallError };
