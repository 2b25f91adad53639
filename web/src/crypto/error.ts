// Why cryptography said no. A closed set: nothing that a peer sent stands in an error.

export type CryptoReason =
  | 'mode' | 'key' | 'identifier' | 'field' | 'handshake' | 'worker-signature' | 'signature' | 'tag'
  | 'plaintext-too-long' | 'counter-exhausted' | 'decrypt' | 'used-up';

const TEXT: Record<CryptoReason, string> = {
  mode: 'not in this encryption mode',
  key: 'a key is malformed',
  identifier: 'an identifier is empty or too long',
  field: 'a field is empty or too long',
  handshake: 'noise: a handshake message does not fit',
  'worker-signature': 'noise-hybrid: SLH-DSA signature verification failed',
  signature: 'a signature does not verify',
  tag: 'a registration tag does not verify',
  'plaintext-too-long': 'a plaintext is longer than a frame holds',
  'counter-exhausted': 'the keys of this epoch are used up',
  decrypt: 'a frame does not decrypt',
  'used-up': 'this state was used up or wiped',
};

export class CryptoError extends Error {
  constructor(readonly reason: CryptoReason) {
    super(TEXT[reason]);
    this.name = 'CryptoError';
  }
}
