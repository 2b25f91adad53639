// The rules of chunking, checked on what comes in: one unfinished message at a time, its size, its
// frames, its progress. The Hub has checked the same numbers; the receiver checks again.

import { TAG_LEN } from '../crypto/transport';
import { CloseReason } from '../gen/leapmux/v1/channel_pb';
import type { Limits } from './limits';
import { CIPHERTEXT_MAX, CIPHERTEXT_MIN, FLAG_MORE, type Frame } from './outer';

export type Place = 'whole' | 'chunk' | 'last';
export type Breach = { breach: CloseReason };

interface Unfinished { correlation: bigint; bytes: number; frames: number; progress: number }

export class Tally {
  #unfinished: Unfinished | undefined;

  constructor(private readonly limits: Limits, private readonly messageBytes: number) {}

  admit(frame: Frame, now: number): Place | Breach {
    const size = frame.ciphertext.length;
    if (size < CIPHERTEXT_MIN || size > CIPHERTEXT_MAX) return { breach: CloseReason.FRAME_SIZE };
    if ((frame.flags & ~FLAG_MORE) !== 0) return { breach: CloseReason.PROTOCOL_ERROR };
    const more = (frame.flags & FLAG_MORE) !== 0;
    const open = this.#unfinished;
    if (open?.correlation === frame.correlation) return this.#count(open, size - TAG_LEN, more, now);
    if (!more) return size - TAG_LEN > this.messageBytes ? { breach: CloseReason.MESSAGE_TOO_LARGE } : 'whole';
    if (open) return { breach: CloseReason.INTERLEAVED_CHUNKS };
    return this.#count({ correlation: frame.correlation, bytes: 0, frames: 0, progress: now }, size - TAG_LEN, more, now);
  }

  /** So long nothing could come: the time does not count against an unfinished message. */
  forgive(milliseconds: number): void {
    if (this.#unfinished) this.#unfinished.progress += milliseconds;
  }

  /** When the unfinished message counts as stalled. */
  get deadline(): number | undefined {
    return this.#unfinished && this.#unfinished.progress + this.limits.chunkTimeout;
  }

  #count(open: Unfinished, bytes: number, more: boolean, now: number): Place | Breach {
    open.bytes += bytes;
    open.frames += 1;
    open.progress = now;
    if (open.bytes > this.messageBytes) return { breach: CloseReason.MESSAGE_TOO_LARGE };
    if (open.frames > this.limits.chunks) return { breach: CloseReason.TOO_MANY_CHUNKS };
    this.#unfinished = more ? open : undefined;
    return more ? 'chunk' : 'last';
  }
}
