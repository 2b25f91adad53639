// The page's side of the channel thread: the only door through which the user interface reaches
// a Worker. It holds no key and sees no ciphertext.

import type {
  CallError, ChannelStatus, FromThread, KeyWork, PinRecord, ToThread, TrustAnswer, TrustQuestion,
} from './door';

export type {
  CallError, ChannelState, ChannelStatus, DeviceToSign, GrantSigned, GrantToSign, KeyWork, PinRecord, RegistrationMade,
  TrustAnswer, TrustQuestion,
} from './door';

/** How long a person has to answer a trust question; silence rejects. */
export const TRUST_TIMEOUT_MS = 120_000;

export interface StreamCallbacks {
  /** The bytes count as consumed, and credit is granted, when this returns or its promise settles. */
  onData(data: Uint8Array): void | Promise<void>;
  onEnd(error?: CallError): void;
}

export interface ChannelStream {
  /** Queues within a bound; a stream that outgrows it ends with code 8. */
  send(data: Uint8Array): void;
  end(): void;
  cancel(): void;
}

export interface ChannelThread {
  /** Idempotent; keeps the channel open with back-off and jitter. */
  open(workerId: string, userId: string): void;
  /** Asks the trust question again after a rejection. */
  review(workerId: string): void;
  close(workerId: string): void;
  /** Rejects with a CallError. */
  call(workerId: string, method: string, payload: Uint8Array, workspaceId?: string): Promise<Uint8Array>;
  stream(workerId: string, method: string, payload: Uint8Array, callbacks: StreamCallbacks,
    workspaceId?: string): ChannelStream;
  /** The listener first hears the last status of every Worker. */
  onStatus(listener: (status: ChannelStatus) => void): () => void;
  /** What only the holder of the keys can do. Rejects with code 13 where the storage fails. */
  work<K extends keyof KeyWork>(kind: K, asked: KeyWork[K]['asked']): Promise<KeyWork[K]['answer']>;
  pins(): Promise<PinRecord[]>;
  forgetPin(workerId: string): Promise<void>;
  /** `full`: the full fingerprint whose words were compared. Rejects with code 9 where another key is kept by now. */
  markVerified(workerId: string, full: string): Promise<void>;
}

export interface ChannelThreadOptions {
  /** The built thread, as the Trusted Types policy returned it: handed on unchanged. */
  workerUrl: string | { toString(): string };
  /** Absent, throwing or silent means: reject. Aborted when the question stands no more. */
  trust?: (question: TrustQuestion, withdrawn: AbortSignal) => Promise<TrustAnswer>;
}

/** The part of a dedicated Worker that the handle uses; tests give a port. */
export interface ThreadPort {
  postMessage(message: ToThread, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent<FromThread>) => void) | null;
}

export function startChannelThread(options: ChannelThreadOptions): ChannelThread {
  const worker = new Worker(options.workerUrl as string, { type: 'module', name: 'leapmux-channel' });
  return connectHandle(worker as unknown as ThreadPort, options.trust);
}

interface Pending { resolve(value: never): void; reject(error: CallError): void }

/** The handle over any port. */
export function connectHandle(port: ThreadPort, trust?: ChannelThreadOptions['trust']): ChannelThread {
  const pending = new Map<number, Pending>();
  const asked = new Map<number, AbortController>();
  const streams = new Map<number, StreamCallbacks>();
  const listeners = new Set<(status: ChannelStatus) => void>();
  const last = new Map<string, ChannelStatus>();
  let nextId = 1;

  const post = (message: ToThread, transfer: Transferable[] = []) => port.postMessage(message, transfer);
  const ask = <T>(message: (id: number) => ToThread, transfer: Transferable[] = []): Promise<T> =>
    new Promise((resolve, reject) => {
      const id = nextId++;
      pending.set(id, { resolve: resolve as (value: never) => void, reject });
      post(message(id), transfer);
    });
  const settle = (id: number): Pending | undefined => {
    const entry = pending.get(id);
    pending.delete(id);
    return entry;
  };

  port.onmessage = ({ data: message }) => {
    switch (message.kind) {
      case 'status':
        last.set(message.status.workerId, message.status);
        listeners.forEach((listener) => listener(message.status));
        return;
      case 'trust':
        return putToPerson(message.id, message.question);
      case 'trust-withdrawn':
        asked.get(message.id)?.abort();
        asked.delete(message.id);
        return;
      case 'answer': return settle(message.id)?.resolve(message.payload as never);
      case 'pins': return settle(message.id)?.resolve(message.pins as never);
      case 'worked': return settle(message.id)?.resolve(message.answer as never);
      case 'done': return settle(message.id)?.resolve(undefined as never);
      case 'failed': return settle(message.id)?.reject(message.error);
      case 'stream-data': return deliver(message.id, message.data);
      case 'stream-end': {
        const callbacks = streams.get(message.id);
        streams.delete(message.id);
        callbacks?.onEnd(message.error);
      }
    }
  };

  function putToPerson(id: number, question: TrustQuestion): void {
    const withdrawal = new AbortController();
    asked.set(id, withdrawal);
    void answerTrust(question, withdrawal.signal, trust).then((answer) => {
      // Withdrawn: there is nothing left to answer.
      if (asked.delete(id)) post({ kind: 'trust-answer', id, answer });
    });
  }

  function deliver(id: number, data: Uint8Array): void {
    const bytes = data.length;
    const consumed = () => post({ kind: 'stream-consumed', id, bytes });
    try {
      const pending = streams.get(id)?.onData(data);
      if (pending) void pending.then(consumed, consumed);
      else consumed();
    } catch (error) {
      consumed();
      throw error;
    }
  }

  function stream(workerId: string, method: string, payload: Uint8Array, callbacks: StreamCallbacks,
    workspaceId = ''): ChannelStream {
    const id = nextId++;
    const body = payload.slice();
    streams.set(id, callbacks);
    post({ kind: 'stream', id, workerId, method, payload: body, workspaceId }, [body.buffer]);
    return {
      send(data) {
        const moved = data.slice();
        post({ kind: 'stream-send', id, data: moved }, [moved.buffer]);
      },
      end: () => post({ kind: 'stream-end', id }),
      cancel() {
        if (streams.delete(id)) post({ kind: 'stream-cancel', id });
      },
    };
  }

  return {
    open: (workerId, userId) => post({ kind: 'open', workerId, userId }),
    review: (workerId) => post({ kind: 'review', workerId }),
    close: (workerId) => post({ kind: 'close', workerId }),
    call(workerId, method, payload, workspaceId = '') {
      const body = payload.slice();
      return ask((id) => ({ kind: 'call', id, workerId, method, payload: body, workspaceId }), [body.buffer]);
    },
    stream,
    onStatus(listener) {
      listeners.add(listener);
      last.forEach((status) => listener(status));
      return () => listeners.delete(listener);
    },
    work: (kind, asked) => ask((id) => ({ kind: 'work', id, work: kind, asked })),
    pins: () => ask((id) => ({ kind: 'pins', id })),
    forgetPin: (workerId) => ask((id) => ({ kind: 'forget-pin', id, workerId })),
    markVerified: (workerId, full) => ask((id) => ({ kind: 'mark-verified', id, workerId, full })),
  };
}

async function answerTrust(question: TrustQuestion, withdrawn: AbortSignal, trust: ChannelThreadOptions['trust']): Promise<TrustAnswer> {
  if (!trust) return 'reject';
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<TrustAnswer>((resolve) => {
    timer = setTimeout(() => resolve('reject'), TRUST_TIMEOUT_MS);
  });
  try {
    const answer = await Promise.race([trust(question, withdrawn), silence]);
    return answer === 'accept' ? 'accept' : 'reject';
  } catch {
    return 'reject';
  } finally {
    clearTimeout(timer);
  }
}
