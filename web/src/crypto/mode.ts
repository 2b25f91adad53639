// The two protocols that share one Noise label; the mode byte of the prologue keeps them apart.

export type Mode = 'classic' | 'post-quantum';

export const modeByte = (mode: Mode): number => (mode === 'classic' ? 0x01 : 0x02);
export const isWeaker = (mode: Mode, than: Mode): boolean => modeByte(mode) < modeByte(than);

/** Lengths in bytes of the messages of a handshake and of a renewal. */
export const LENGTHS = {
  classic: { message1: 48, message2: 48, renew: 56, renewed: 56 },
  'post-quantum': { message1: 3184, message2: 51_472, renew: 3192, renewed: 1624 },
} as const;
