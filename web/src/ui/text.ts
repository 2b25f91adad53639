/** Making what others wrote fit to be shown. */

/**
 * Others' text on one line: without controls and without the characters that reorder or hide
 * text (Unicode bidi controls, zero-width ones), cut to `limit` characters.
 */
export function displayText(text: string, limit: number): string {
  const clean = text
    .replace(/[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu, '')
    .trim();
  const letters = Array.from(clean);
  return letters.length > limit ? `${letters.slice(0, limit - 1).join('')}…` : clean;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

export function day(unixMs: number): string {
  return new Date(unixMs).toLocaleDateString(undefined, {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
  });
}

export function moment(unixMs: number): string {
  return new Date(unixMs).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}

/** Four words of a fingerprint, fit to stand in a command to copy; anything else is not. */
export function fourWords(text: string | undefined): string | undefined {
  return text && text.length <= 80 && /^[a-z]+(-[a-z]+){3}$/.test(text) ? text : undefined;
}
