import { describe, expect, it, vi } from 'vitest';
import { rank } from '../../src/screens/ranking';
import { reasonSentence, speak } from '../../src/state/status';
import { retryDelayMs } from '../../src/hub/retry';
import { lineCount, pasteable, writeClipboard } from '../../src/terminal/clipboard';
import { held, pressed } from '../../src/terminal/keys';
import { displayText } from '../../src/ui/text';

describe('text for people', () => {
  it('drops characters that reorder or hide text, and controls', () => {
    expect(displayText('safe\u202Etxt.exe\u202C\u0007\u200b', 80)).toBe('safetxt.exe');
    expect(displayText('a'.repeat(10), 4)).toBe('aaa…');
  });

  it('says when the next attempt is', () => {
    const status = { workerId: 'w', state: 'reconnecting' as const, reason: 'connection_lost', retryAt: 3_000 };
    expect(speak(status, 0).short).toBe('Reconnecting… next try in 3 s');
    expect(speak(status, 5_000).short).toBe('Reconnecting…');
  });

  it('calls a rejected key by its name', () => {
    expect(speak({ workerId: 'w', state: 'blocked', reason: 'key_changed' }, 0).short).toBe('Blocked: key changed');
  });

  it('never shows a label that it does not know', () => {
    expect(reasonSentence('<script>')).toBe('The connection ended.');
  });
});

describe('the palette', () => {
  it('ranks the beginning before a word before letters in order', () => {
    expect(rank('Split right', 'spl')).toBe(0);
    expect(rank('Split right', 'right')).toBe(1);
    expect(rank('Split right', 'sr')).toBe(4);
    expect(rank('Split right', 'xyz')).toBeUndefined();
  });
});

describe('a copy without the asynchronous clipboard', () => {
  it('is made through a selection, inside of the dialog that holds the focus', async () => {
    const held: string[] = [];
    const inside = (name: string) => ({ append: ({ value }: { value: string }) => held.push(`${name}: ${value}`) });
    let dialogs: object[] = [];
    vi.stubGlobal('navigator', {});
    vi.stubGlobal('HTMLElement', class {});
    vi.stubGlobal('document', {
      activeElement: null, body: inside('body'), querySelectorAll: () => dialogs,
      createElement: () => ({ select: () => undefined, remove: () => undefined }), execCommand: () => true,
    });
    expect(await writeClipboard('one')).toBe(true);
    dialogs = [inside('below'), inside('above')];
    expect(await writeClipboard('two')).toBe(true);
    expect(held).toEqual(['body: one', 'above: two']);
    vi.unstubAllGlobals();
  });
});

describe('pasted text', () => {
  it('can neither end a bracketed paste nor press keys', () => {
    expect(pasteable('a\x1b[201~\r\nrm\x03\tb\x9b')).toBe('a[201~\nrm\tb');
  });

  it('counts lines as people do', () => {
    expect([lineCount('a'), lineCount('a\n'), lineCount('a\nb')]).toEqual([1, 1, 2]);
  });
});

describe('the key bar', () => {
  it('follows the cursor key mode', () => {
    expect([pressed('up', '\x1b['), pressed('up', '\x1bO'), pressed('|', '\x1b[')]).toEqual(['\x1b[A', '\x1bOA', '|']);
  });

  it('turns the next letter into a control character', () => {
    expect(held('ctrl', Uint8Array.of(0x63))).toEqual(Uint8Array.of(3));
    expect(held('alt', Uint8Array.of(0x62))).toEqual(Uint8Array.of(0x1b, 0x62));
  });
});

describe('retries', () => {
  it('grow, never pass 36 s and are never the same for all', () => {
    expect(retryDelayMs(0, 0)).toBe(400);
    expect(retryDelayMs(50, 1)).toBe(36_000);
  });
});
