/** Key combinations: written, matched and spoken. Pure but for the platform question. */

const MAC = /Mac|iPhone|iPad/.test(navigator.platform);

export interface Keys {
  mod: boolean;
  ctrl: boolean;
  shift: boolean;
  alt: boolean;
  /** `KeyboardEvent.code` for letters and digits, `KeyboardEvent.key` for the rest. */
  key: string;
}

/** `Mod+Shift+F`: Mod is Cmd on a Mac and Ctrl elsewhere. */
export function parseKeys(text: string): Keys {
  const parts = text.split('+');
  const key = parts.at(-1) || '+';
  return {
    mod: parts.includes('Mod'),
    ctrl: parts.includes('Ctrl'),
    shift: parts.includes('Shift'),
    alt: parts.includes('Alt'),
    key,
  };
}

export function matches(event: KeyboardEvent, keys: Keys): boolean {
  const held = MAC
    ? event.metaKey === keys.mod && event.ctrlKey === keys.ctrl
    : event.ctrlKey === (keys.mod || keys.ctrl) && !event.metaKey;
  if (!held || event.altKey !== keys.alt) return false;
  // Plus and minus need Shift on some keyboards and not on others.
  const free = keys.key === '=' || keys.key === '-' || keys.key === '0';
  if (event.shiftKey !== keys.shift && !free) return false;
  return keyOf(event) === keys.key;
}

/** As printed on this machine's keys. */
export function spoken(text: string): string[] {
  return text.split('+').map((part) => (MAC ? (MAC_NAMES[part] ?? part) : (PC_NAMES[part] ?? part)));
}

const PC_NAMES: Record<string, string> = {
  Mod: 'Ctrl', ArrowLeft: '←', ArrowRight: '→', ArrowUp: '↑', ArrowDown: '↓', '=': '+',
};
const MAC_NAMES: Record<string, string> = {
  ...PC_NAMES, Mod: '⌘', Ctrl: '⌃', Shift: '⇧', Alt: '⌥', Enter: '↩',
};

function keyOf(event: KeyboardEvent): string {
  if (/^Key[A-Z]$/.test(event.code)) return event.code.slice(3);
  if (event.key === '+' || event.key === '=') return '=';
  if (event.key === '_' || event.key === '-') return '-';
  if (/^Digit\d$/.test(event.code)) return event.code.slice(5);
  return event.key;
}
