import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ChannelStatus, ChannelThread } from '../../src/channel/handle';
import { listenToHub } from '../../src/hub/events';
import { Growing } from '../../src/hub/retry';
import { account, recheck, whoAmI } from '../../src/state/account';
import { signInWithToken } from '../../src/state/entry';
import { channels, statuses, useThread } from '../../src/state/channels';
import { reopen, reopening } from '../../src/state/reopen';
import { fourWords } from '../../src/ui/text';

let me: { signedIn?: boolean; userId?: string } | 401 = {};
const visited: string[] = [];
const opened: string[] = [];

beforeEach(() => {
  visited.length = 0;
  opened.length = 0;
  vi.stubGlobal('location', { href: 'http://hub.example/', protocol: 'http:', assign: (path: string) => visited.push(path) });
  vi.stubGlobal('fetch', async (path: string) => {
    const refused = me === 401 && String(path).endsWith('WhoAmI');
    return new Response(JSON.stringify(refused ? {} : String(path).endsWith('WhoAmI') ? me : {}), { status: refused ? 401 : 200 });
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('a sign-in', () => {
  it('that is over leads to the sign-in screen, and the next one, by whomever, to a fresh page', async () => {
    me = {};
    await whoAmI();
    me = { signedIn: true, userId: 'ada' };
    await signInWithToken('token');
    expect(account.value).toMatchObject({ state: 'signed-in', userId: 'ada' });
    expect(visited).toEqual([]);
    await recheck();
    expect(account.value.state).toBe('signed-in');
    me = 401;
    await recheck();
    expect(account.value.state).toBe('signed-out');
    me = { signedIn: true, userId: 'bob' };
    await signInWithToken('token');
    expect(account.value.state).toBe('signed-out');
    expect(visited).toEqual(['/']);
  });

  it('of another user in another tab gives this one a fresh page, and a Hub that is away changes nothing', async () => {
    account.value = { state: 'signed-in', userId: 'ada', username: 'ada', solo: false, version: '' };
    vi.stubGlobal('fetch', async () => { throw new TypeError('network'); });
    await recheck();
    expect(account.value.state).toBe('signed-in');
    vi.stubGlobal('fetch', async () => new Response(JSON.stringify({ signedIn: true, userId: 'bob' })));
    await recheck();
    expect(visited).toEqual(['/']);
  });
});

class Socket {
  static made: Socket[] = [];
  onopen: (() => void) | null = null;
  onclose: ((event?: { code: number; reason: string }) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  constructor() {
    Socket.made.push(this);
  }
  close(event?: { code: number; reason: string }): void {
    this.onclose?.(event);
  }
}

describe('the events of the Hub', () => {
  it('say that they were refused, wait longer each time, and begin anew only after they stood for 30 s', async () => {
    vi.useFakeTimers();
    vi.stubGlobal('WebSocket', Socket);
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    Socket.made = [];
    let refused = 0;
    let resyncs = 0;
    const stop = listenToHub({ onEvent: () => undefined, onResync: () => { resyncs += 1; }, onRefused: () => { refused += 1; }, onRevoked: () => undefined });
    Socket.made[0]!.close();
    await vi.advanceTimersByTimeAsync(500);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(refused).toBe(2);
    for (const wait of [1_000, 2_000, 4_000]) {
      const before = Socket.made.length;
      await vi.advanceTimersByTimeAsync(wait - 1);
      expect(Socket.made).toHaveLength(before);
      await vi.advanceTimersByTimeAsync(1);
      expect(Socket.made).toHaveLength(before + 1);
      Socket.made.at(-1)!.onopen?.();
      if (wait === 4_000) await vi.advanceTimersByTimeAsync(30_000);
      Socket.made.at(-1)!.close();
    }
    const before = Socket.made.length;
    await vi.advanceTimersByTimeAsync(500);
    expect(Socket.made).toHaveLength(before + 1);
    expect([refused, resyncs]).toEqual([2, 3]);
    stop();
  });
});

describe('a channel that is closed for good', () => {
  it('can be tried again, or leads to the sign-in where that is what it lacks', () => {
    let say: (status: ChannelStatus) => void = () => undefined;
    useThread(() => ({
      open: (workerId: string) => opened.push(workerId),
      onStatus: (listener: (status: ChannelStatus) => void) => { say = listener; return () => undefined; },
    }) as unknown as ChannelThread);
    channels();
    account.value = { state: 'signed-in', userId: 'ada', username: 'ada', solo: false, version: '' };
    expect(reopening('w')).toBe('Connect');
    say({ workerId: 'w', state: 'closed', reason: 'not_found' });
    expect(reopening('w')).toBe('Try again');
    reopen('w');
    expect([opened, visited]).toEqual([['w'], []]);
    say({ workerId: 'w', state: 'closed', reason: 'credential' });
    expect(reopening('w')).toBe('Sign in again');
    reopen('w');
    expect([opened, visited]).toEqual([['w'], ['/']]);
    say({ workerId: 'w', state: 'ready' });
    expect(reopening('w')).toBeUndefined();
    statuses.value = new Map();
  });
});

describe('delays', () => {
  it('grow to half a minute and begin anew after half a minute of quiet', () => {
    const again = new Growing();
    let now = 0;
    const waits = Array.from({ length: 8 }, () => {
      const wait = again.next(now, 0.5);
      now += wait + 1_000;
      return wait;
    });
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    expect(again.next(now + 30_000, 0.5)).toBe(1_000);
  });
});

describe('the words in a command', () => {
  it('are four plain words or are not there', () => {
    expect(fourWords('lamp-thunder-ocean-fabric')).toBe('lamp-thunder-ocean-fabric');
    for (const text of [undefined, '', 'a-b-c', 'a-b-c-d; rm -rf ~', 'A-b-c-d', '$(a)-b-c-d', `${'a'.repeat(90)}-b-c-d`]) {
      expect(fourWords(text)).toBeUndefined();
    }
  });
});
