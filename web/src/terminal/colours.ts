/** The terminal's sixteen colours, light and dark; each readable on its own background. */

import type { ITheme } from '@xterm/xterm';

const DARK: ITheme = {
  background: '#14181b',
  foreground: '#dfe5e9',
  cursor: '#4cc38a',
  cursorAccent: '#14181b',
  selectionBackground: '#2f5d4a',
  selectionInactiveBackground: '#2b3a35',
  black: '#3a4248',
  red: '#f27878',
  green: '#6cc98f',
  yellow: '#dcb862',
  blue: '#74aef2',
  magenta: '#c99bea',
  cyan: '#5cc4cc',
  white: '#c9d1d6',
  brightBlack: '#87929b',
  brightRed: '#ff9a98',
  brightGreen: '#8fe0ad',
  brightYellow: '#f0d288',
  brightBlue: '#9bc7fb',
  brightMagenta: '#ddbcf6',
  brightCyan: '#86dde3',
  brightWhite: '#f4f7f8',
};

const LIGHT: ITheme = {
  background: '#ffffff',
  foreground: '#1c2429',
  cursor: '#0b7a53',
  cursorAccent: '#ffffff',
  selectionBackground: '#bfe5d3',
  selectionInactiveBackground: '#dfe9e4',
  black: '#1c2429',
  red: '#b3261e',
  green: '#1c7040',
  yellow: '#805b00',
  blue: '#1a5fb4',
  magenta: '#8534a8',
  cyan: '#0b6b74',
  white: '#5d6a73',
  brightBlack: '#66727b',
  brightRed: '#c93a31',
  brightGreen: '#267d4c',
  brightYellow: '#8c6508',
  brightBlue: '#2a6cc4',
  brightMagenta: '#9444b8',
  brightCyan: '#16757f',
  brightWhite: '#3f4a52',
};

export function colours(dark: boolean): ITheme {
  return dark ? DARK : LIGHT;
}

/** For find: all matches, and the one that is shown. */
export function findColours(dark: boolean) {
  return dark
    ? {
        matchBackground: '#4a4220',
        matchOverviewRuler: '#dcb862',
        activeMatchBackground: '#7a6414',
        activeMatchColorOverviewRuler: '#f0d288',
      }
    : {
        matchBackground: '#fdeeb8',
        matchOverviewRuler: '#b48a1a',
        activeMatchBackground: '#f7cf5b',
        activeMatchColorOverviewRuler: '#805b00',
      };
}
