/** The words of a key, once they are made. */

import { wordsOf } from '../state/key-words';
import { Words } from './Words';

export function KeyWords({ of }: { of: Uint8Array }) {
  const words = wordsOf(of);
  return words === undefined ? <span class="hint">Reading its key…</span> : <Words words={words} />;
}
