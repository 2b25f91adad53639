/**
 * The four words of others' keys, made from the key in this browser. What a Hub or a Worker says of a
 * key's words is not looked at: whoever can name a key could name another one's words with it.
 */

import { signal } from '@preact/signals';
import { channels } from './channels';

const MOST = 256;

const made = signal<ReadonlyMap<string, string>>(new Map());
const asked = new Set<string>();

/** Undefined until they are there; whoever reads them hears of it. */
export function wordsOf(key: Uint8Array): string | undefined {
  const name = nameOf(key);
  const words = made.value.get(name);
  if (words === undefined && key.length > 0 && !asked.has(name)) void make(name, key);
  return words;
}

/** A key as text, whole: to tell keys apart. */
export function nameOf(key: Uint8Array): string {
  return Array.from(key, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function make(name: string, key: Uint8Array): Promise<void> {
  asked.add(name);
  try {
    const words = await channels().work('words', { key });
    made.value = new Map([...[...made.peek()].slice(1 - MOST), [name, words]]);
  } catch {
    // Whoever looks again asks again.
  } finally {
    asked.delete(name);
  }
}
