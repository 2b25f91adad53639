/** What this browser remembers of how the page looks. Storage may be full or forbidden: then it lasts as long as the page. */

export function recall(key: string): string | undefined {
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

export function remember(key: string, text: string): void {
  try {
    localStorage.setItem(key, text);
  } catch {
    // See above.
  }
}

export function recallBytes(key: string): Uint8Array | undefined {
  try {
    const text = recall(key);
    return text === undefined ? undefined : Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}

export function rememberBytes(key: string, bytes: Uint8Array): void {
  remember(key, btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')));
}
