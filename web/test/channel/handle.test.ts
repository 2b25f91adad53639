// The page's side of the thread, over a port that the test plays.

import { afterEach, describe, expect, it, vi } from 'vitest';
import type { FromThread, ToThread } from '../../src/channel/door';
import { TRUST_TIMEOUT_MS, type ThreadPort, connectHandle } from '../../src/channel/handle';

class Port implements ThreadPort {
  readonly posted: ToThread[] = [];
  onmessage: ((event: MessageEvent<FromThread>) => void) | null = null;
  postMessage(message: ToThread): void {
    this.posted.push(message);
  }
  say(message: FromThread): void {
    this.onmessage!({ data: message } as MessageEvent<FromThread>);
  }
  of<K extends ToThread['kind']>(kind: K): Extract<ToThread, { kind: K }>[] {
    return this.posted.filter((message) => message.kind === kind) as Extract<ToThread, { kind: K }>[];
  }
}

const question = {
  workerId: 'w', kind: 'key-changed' as const,
  expected: { words: 'a', full: '1', mode: 'classic', firstSeen: 1, lastUsed: 2 }, actual: { words: 'b', full: '2', mode: 'classic' },
};
const turn = () => new Promise((resolve) => setImmediate(resolve));

afterEach(() => vi.useRealTimers());

describe('calls', () => {
  it('are answered or rejected by their own id, in any order', async () => {
    const port = new Port();
    const thread = connectHandle(port);
    const [one, two] = [thread.call('w', 'a', Uint8Array.of(1)), thread.call('w', 'b', Uint8Array.of(2))];
    const [first, second] = port.of('call');
    port.say({ kind: 'failed', id: second!.id, error: { code: 5, message: 'none' } });
    port.say({ kind: 'answer', id: first!.id, payload: Uint8Array.of(9) });
    await expect(one).resolves.toEqual(Uint8Array.of(9));
    await expect(two).rejects.toEqual({ code: 5, message: 'none' });
  });

  it('leave the bytes of the page where they are', async () => {
    const port = new Port();
    const payload = Uint8Array.of(1, 2);
    void connectHandle(port).call('w', 'a', payload);
    expect(port.of('call')[0]!.payload).toEqual(payload);
    expect(port.of('call')[0]!.payload.buffer).not.toBe(payload.buffer);
  });
});

describe('streams', () => {
  it('grant credit when the page has taken the data, also when it threw', () => {
    const port = new Port();
    const taken: number[] = [];
    connectHandle(port).stream('w', 'm', new Uint8Array(), {
      onData: (data) => {
        taken.push(data.length);
        if (data.length === 2) throw new Error('page');
      },
      onEnd: () => undefined,
    });
    const { id } = port.of('stream')[0]!;
    port.say({ kind: 'stream-data', id, data: new Uint8Array(3) });
    expect(() => port.say({ kind: 'stream-data', id, data: new Uint8Array(2) })).toThrow('page');
    expect(taken).toEqual([3, 2]);
    expect(port.of('stream-consumed').map((message) => message.bytes)).toEqual([3, 2]);
  });

  it('end once, and say nothing after they were cancelled', () => {
    const port = new Port();
    const ends: unknown[] = [];
    const callbacks = { onData: () => void ends.push('data'), onEnd: (error?: unknown) => void ends.push(error) };
    const thread = connectHandle(port);
    thread.stream('w', 'm', new Uint8Array(), callbacks);
    const cancelled = thread.stream('w', 'm', new Uint8Array(), callbacks);
    const [one, two] = port.of('stream').map((message) => message.id);
    port.say({ kind: 'stream-end', id: one! });
    port.say({ kind: 'stream-end', id: one! });
    cancelled.cancel();
    cancelled.cancel();
    port.say({ kind: 'stream-data', id: two!, data: new Uint8Array(1) });
    port.say({ kind: 'stream-end', id: two!, error: { code: 1, message: '' } });
    expect(ends).toEqual([undefined]);
    expect(port.of('stream-cancel')).toHaveLength(1);
  });
});

describe('status', () => {
  it('is told to later listeners too, and no more once they left', () => {
    const port = new Port();
    const thread = connectHandle(port);
    port.say({ kind: 'status', status: { workerId: 'w', state: 'ready' } });
    const heard: string[] = [];
    const leave = thread.onStatus((status) => heard.push(status.state));
    port.say({ kind: 'status', status: { workerId: 'w', state: 'closed' } });
    leave();
    port.say({ kind: 'status', status: { workerId: 'w', state: 'idle' } });
    expect(heard).toEqual(['ready', 'closed']);
  });
});

describe('the trust question', () => {
  const answerOf = async (trust?: Parameters<typeof connectHandle>[1]) => {
    const port = new Port();
    connectHandle(port, trust);
    port.say({ kind: 'trust', id: 7, question });
    await turn();
    return port.of('trust-answer');
  };

  it('is accepted only where a callback said so', async () => {
    expect(await answerOf(async () => 'accept')).toEqual([{ kind: 'trust-answer', id: 7, answer: 'accept' }]);
  });

  it.each([
    ['there is no callback', undefined],
    ['it throws', () => { throw new Error('page'); }],
    ['its promise is rejected', async () => { throw new Error('page'); }],
    ['it answers anything else', async () => 'ok' as 'accept'],
    ['it rejects', async () => 'reject' as const],
  ])('is rejected when %s', async (_when, trust) => {
    expect(await answerOf(trust)).toEqual([{ kind: 'trust-answer', id: 7, answer: 'reject' }]);
  });

  it('is rejected when nobody answers within two minutes', async () => {
    vi.useFakeTimers();
    const port = new Port();
    connectHandle(port, () => new Promise(() => undefined));
    port.say({ kind: 'trust', id: 1, question });
    await vi.advanceTimersByTimeAsync(TRUST_TIMEOUT_MS - 1);
    expect(port.of('trust-answer')).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(port.of('trust-answer')).toMatchObject([{ answer: 'reject' }]);
  });
});
