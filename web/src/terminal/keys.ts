/** Keys that a soft keyboard lacks, as the bytes that a terminal expects. Pure. */

export type Modifier = 'ctrl' | 'alt';
export type NamedKey = 'escape' | 'tab' | 'up' | 'down' | 'left' | 'right' | '|' | '~' | '/';

const ARROWS: Partial<Record<NamedKey, string>> = { up: 'A', down: 'B', right: 'C', left: 'D' };

/** `cursorPrefix` is CSI or SS3, by the terminal's cursor key mode. */
export function pressed(key: NamedKey, cursorPrefix: string): string {
  const arrow = ARROWS[key];
  if (arrow) return cursorPrefix + arrow;
  if (key === 'escape') return '\x1b';
  if (key === 'tab') return '\t';
  return key;
}

/** What a held-down modifier makes of the next typed bytes. */
export function held(modifier: Modifier, data: Uint8Array): Uint8Array {
  if (modifier === 'alt') return Uint8Array.of(0x1b, ...data);
  const code = data[0];
  const letter = data.length === 1 && code !== undefined && code >= 0x40 && code < 0x7f;
  return letter ? Uint8Array.of(code & 0x1f) : data;
}
