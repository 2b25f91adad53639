/** A channel's state in words for people. Pure. */

import type { ChannelStatus } from '../channel/handle';

export type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'off';

export interface Spoken {
  tone: Tone;
  /** A few words, for a status line. */
  short: string;
  /** A sentence that says what is so and what to do. */
  long: string;
}

export function speak(status: ChannelStatus | undefined, now: number): Spoken {
  switch (status?.state) {
    case undefined:
    case 'idle':
      return { tone: 'off', short: 'Not connected', long: 'No channel to this Worker is open.' };
    case 'connecting':
      return { tone: 'busy', short: 'Connecting…', long: 'The Hub is being asked for this Worker.' };
    case 'securing':
      return {
        tone: 'busy',
        short: 'Securing…',
        long: 'Securing the connection: keys are being agreed with the Worker itself.',
      };
    case 'proving':
      return {
        tone: 'busy',
        short: 'Proving identity…',
        long: 'The Worker is checking who you are and from which device.',
      };
    case 'ready':
      return {
        tone: 'good',
        short: 'Connected',
        long: 'End-to-end encrypted. The Hub relays ciphertext and cannot read it.',
      };
    case 'reconnecting':
      return reconnecting(status, now);
    case 'blocked':
      return blocked(status.reason);
    case 'closed':
      return { tone: 'bad', short: 'Closed', long: reasonSentence(status.reason) };
  }
}

function reconnecting(status: ChannelStatus, now: number): Spoken {
  const seconds = Math.max(0, Math.ceil(((status.retryAt ?? now) - now) / 1000));
  const short = seconds > 0 ? `Reconnecting… next try in ${seconds} s` : 'Reconnecting…';
  return { tone: 'warn', short, long: reasonSentence(status.reason) };
}

function blocked(reason: string | undefined): Spoken {
  switch (reason) {
    case 'key_changed':
    case 'mode_weaker':
    case 'key_and_mode':
      return {
        tone: 'bad',
        short: reason === 'mode_weaker' ? 'Blocked: weaker mode' : 'Blocked: key changed',
        long: 'You rejected this Worker’s identity. Nothing is sent to it until you review it.',
      };
    case 'registration_mismatch':
      return { tone: 'bad', short: 'Blocked: not your Worker', long: reasonSentence(reason) };
    case 'device_not_trusted':
      return {
        tone: 'warn',
        short: 'Waiting for approval',
        long: 'The Worker does not know this device yet. Approve it from a device that it knows.',
      };
    default:
      return { tone: 'bad', short: 'Blocked', long: reasonSentence(reason) };
  }
}

/** Whether a person's answer to the trust question is what is missing. */
export function reviewable(status: ChannelStatus): boolean {
  return status.state === 'blocked' && status.reason !== 'device_not_trusted';
}

/** Whether the sign-in is what the Hub or the Worker found wanting. */
export function doubtsSignIn(status: ChannelStatus): boolean {
  return status.state === 'closed' && ['credential', 'revoked', 'user_id_mismatch'].includes(status.reason ?? '');
}

/** One sentence for each label that the Hub, the Worker or the channel can give. */
export function reasonSentence(reason: string | undefined): string {
  return (reason && SENTENCES[reason]) || 'The connection ended.';
}

const SENTENCES: Readonly<Record<string, string>> = {
  busy: 'The Worker is setting up other connections. It will be this one’s turn soon.',
  chunk_timeout: 'A message stopped half-way and the connection was closed.',
  claim_invalid: 'The Worker could not check who you are.',
  claim_timeout: 'The Worker waited too long for a proof of who you are.',
  closed_by_client: 'You closed this connection.',
  closed_by_worker: 'The Worker closed this connection.',
  connection_lost: 'The connection was lost. It is being opened again.',
  credential: 'The Hub no longer accepts this sign-in. Sign in again.',
  decrypt_failed: 'A message could not be decrypted, so the connection was closed. Somebody may have altered it.',
  detached_too_long: 'The connection was lost for too long and is being opened anew.',
  draining: 'The Hub is restarting.',
  duplicate: 'The Hub already knows this connection. It is being opened anew.',
  handshake: 'The Worker refused the handshake. Its key or mode may differ from what the Hub says.',
  handshake_failed: 'The handshake failed: the other end could not prove that it is this Worker.',
  internal: 'The Hub had a fault of its own.',
  key_expired: 'The keys were an hour old and are being renewed.',
  malformed: 'The Hub did not understand this page. Reload it.',
  moved: 'The connection moves to another Hub.',
  not_found: 'There is no such Worker, or it is not yours.',
  open_timeout: 'The Worker did not answer in time.',
  protocol_error: 'The other end broke a rule of the protocol.',
  quota: 'Too many connections are open.',
  registration_mismatch: 'The key that the Hub offers is not the one of the Worker that was registered with your command. Do not trust this Hub.',
  rejected: 'The Worker rejected the connection.',
  revoked: 'Your sign-in, or your access to this Worker, was taken back.',
  storage_failed: 'The browser’s storage could not be read, so the key cannot be compared. Nothing is sent.',
  timeout: 'The Worker did not answer in time.',
  too_slow: 'This browser read too slowly and the connection was closed.',
  unreachable: 'The Hub cannot be reached.',
  user_id_mismatch: 'The Worker and the Hub disagree about who you are. The connection was closed.',
  user_id_not_verified: 'The Worker could not verify who you are.',
  worker_offline: 'The Worker is offline. Start it on its machine; this page connects by itself.',
};
