/** The clipboard, with and without the asynchronous API (plain http has none). */

export async function writeClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyThroughSelection(text);
  }
}

/** Undefined when the browser does not let us read. */
export async function readClipboard(): Promise<string | undefined> {
  try {
    return await navigator.clipboard.readText();
  } catch {
    return undefined;
  }
}

/**
 * Text as it may be pasted: one kind of line end, and no control characters but tab and line end,
 * so that pasted text can neither end a bracketed paste nor press keys.
 */
export function pasteable(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '');
}

export function lineCount(text: string): number {
  return text.replace(/\n$/, '').split('\n').length;
}

function copyThroughSelection(text: string): boolean {
  const before = document.activeElement;
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'off-screen';
  // What is outside of an open dialog can be neither focused nor selected.
  ([...document.querySelectorAll('dialog:modal')].at(-1) ?? document.body).append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  if (before instanceof HTMLElement) before.focus();
  return done;
}
