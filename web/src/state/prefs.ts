/** What a person likes. Kept in this browser; nothing here is secret. */

import { computed, effect, signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';

export interface Prefs {
  theme: Theme;
  fontSize: number;
  copyOnSelect: boolean;
  pasteWarning: boolean;
  /** Ctrl+K opens the palette even while a terminal has the focus (shells use it to cut a line). */
  paletteOverShell: boolean;
  screenReader: boolean;
  /** Programs' own colours are moved until they can be read on the background. */
  raiseContrast: boolean;
  rail: boolean;
}

export const FONT_SIZES = { smallest: 9, usual: 14, largest: 28 } as const;

const KEY = 'leapmux.prefs';
const DEFAULTS: Prefs = {
  theme: 'system',
  fontSize: FONT_SIZES.usual,
  copyOnSelect: true,
  pasteWarning: true,
  paletteOverShell: false,
  screenReader: false,
  raiseContrast: false,
  rail: true,
};

export const prefs = signal<Prefs>(load());

const systemDark = signal(matchMedia('(prefers-color-scheme: dark)').matches);

export const dark = computed(() =>
  prefs.value.theme === 'system' ? systemDark.value : prefs.value.theme === 'dark',
);

export function setPref<K extends keyof Prefs>(key: K, value: Prefs[K]): void {
  prefs.value = { ...prefs.value, [key]: value };
}

export function changeFontSize(by: number | 'reset'): void {
  const size = by === 'reset' ? FONT_SIZES.usual : prefs.value.fontSize + by;
  setPref('fontSize', Math.min(FONT_SIZES.largest, Math.max(FONT_SIZES.smallest, size)));
}

export function nextTheme(): Theme {
  const order: Theme[] = ['system', 'light', 'dark'];
  return order[(order.indexOf(prefs.value.theme) + 1) % order.length] ?? 'system';
}

/** Keeps the page's theme and the stored preferences in step with the signal. */
export function followPrefs(): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', (event) => {
    systemDark.value = event.matches;
  });
  effect(() => {
    document.documentElement.dataset['theme'] = prefs.value.theme;
    try {
      localStorage.setItem(KEY, JSON.stringify(prefs.value));
    } catch {
      // Storage may be full or forbidden; the preference then lasts as long as the page.
    }
  });
}

function load(): Prefs {
  let stored: Partial<Record<keyof Prefs, unknown>> = {};
  try {
    stored = (JSON.parse(localStorage.getItem(KEY) ?? '{}') ?? {}) as typeof stored;
  } catch {
    return DEFAULTS;
  }
  const flag = (key: 'copyOnSelect' | 'pasteWarning' | 'paletteOverShell' | 'screenReader' | 'raiseContrast' | 'rail') =>
    typeof stored[key] === 'boolean' ? (stored[key] as boolean) : DEFAULTS[key];
  const size = Number(stored.fontSize);
  const theme = stored.theme;
  return {
    theme: theme === 'light' || theme === 'dark' ? theme : 'system',
    fontSize: size >= FONT_SIZES.smallest && size <= FONT_SIZES.largest ? size : DEFAULTS.fontSize,
    copyOnSelect: flag('copyOnSelect'),
    pasteWarning: flag('pasteWarning'),
    paletteOverShell: flag('paletteOverShell'),
    screenReader: flag('screenReader'),
    raiseContrast: flag('raiseContrast'),
    rail: flag('rail'),
  };
}
