// A Hub and a Worker that exist only in the page.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { ChannelState, ChannelStatus, ChannelThread, StreamCallbacks, TrustAnswer, TrustQuestion } from '../../../src/channel/handle';
import {
  DeviceListSchema, DeviceState, TerminalCloseSchema, TerminalAttachSchema, TerminalClosedSchema, TerminalEventSchema, TerminalInputSchema,
  TerminalListSchema, TerminalState, TerminalSummarySchema, type TerminalSummary,
} from '../../../src/gen/leapmux/v1/services_pb';

import { accountAnswer, type Refused } from './hub';
import { tenantsAnswer } from './tenants';

export type Scene = 'ready' | 'empty' | 'trust' | 'weaker' | 'blocked' | 'untrusted' | 'device' | 'reconnecting' | 'signed-out' | 'ended' | 'lost' | 'offline' | 'securing'
  // Of a Hub with accounts; see hub.ts.
  | 'hub' | 'hub-empty' | 'outside' | 'wrong' | 'locked' | 'first-start' | 'closed'
  // With several people, organisations and Workers; see tenants.ts.
  | 'tenants';

export function sceneFrom(text: string | null): Scene {
  return (text as Scene | null) ?? 'ready';
}

const WORKER = 'wk_7f3a9c';
const WORDS = 'orbit-maple-canyon-velvet';
const FULL = '8f1c0a5be2d94774a1c6b3f0d2e85917c4a60b7d13fe9c2280b7d5e4f6a31c09';

export function fakeHub(scene: Scene): void {
  window.fetch = async (input, init) => {
    const path = String(input);
    if (scene === 'tenants') return new Response(JSON.stringify(tenantsAnswer(path, JSON.parse(String(init?.body ?? '{}')) as Record<string, unknown>)));
    const asked = JSON.parse(String(init?.body ?? '{}')) as Record<string, unknown>;
    const known = accountAnswer(path.split('/').at(-1) ?? '', scene, asked);
    if (known) {
      const { status = 200, retryAfter } = known as Partial<Refused>;
      return new Response(JSON.stringify(known), { status, headers: retryAfter ? { 'retry-after': String(retryAfter) } : {} });
    }
    const body = path.endsWith('WhoAmI')
      ? scene === 'signed-out' ? {} : { signedIn: true, userId: 'u1', username: 'ada', solo: true, hubVersion: '0.1.0' }
      : path.endsWith('ListWorkers')
        ? { workers: [
            { workerId: WORKER, name: 'workshop', online: scene !== 'offline', bundled: true, encryptionMode: 'ENCRYPTION_MODE_POST_QUANTUM' },
            { workerId: 'wk_2', name: 'build-server', online: true },
          ] }
        : { code: 'unauthenticated' };
    return new Response(JSON.stringify(body), { status: 'code' in body ? 401 : 200 });
  };
}

const STATES: Partial<Record<Scene, Partial<ChannelStatus> & { state: ChannelState }>> = {
  blocked: { state: 'blocked', reason: 'key_changed' },
  untrusted: { state: 'blocked', reason: 'device_not_trusted', detail: 'lamp-thunder-ocean-fabric', deviceWords: 'lamp-thunder-ocean-fabric' },
  offline: { state: 'reconnecting', reason: 'worker_offline', retryAt: Date.now() + 8000 },
  securing: { state: 'securing' },
};

/** Keys of nobody; their sizes are right. */
const fakeWork = (async (kind: string) => {
  switch (kind) {
    case 'begin-registration': return {
      registrationId: 'Yx3kPq0vT2mB9aLw', secret: 'u8Jr2nV5cK1dE7fG4hI6jL9mN0oP3qR5sT8uW1xY2zA',
      algorithm: 2, deviceKey: new Uint8Array(1984), deviceTag: new Uint8Array(64),
    };
    case 'own-device': return { algorithm: 2, key: new Uint8Array(1984).fill(1), words: 'lamp-thunder-ocean-fabric' };
    case 'words': return 'prize-couch-river-idle';
    case 'sign-grants': return [new Uint8Array(8)];
    case 'signed-grants': return [{ workspaceId: 'ws2', userId: 'u2', deviceKey: new Uint8Array(1984).fill(2), role: 2 }];
    default: return new Uint8Array(8);
  }
}) as unknown as ChannelThread['work'];

export function fakeThread(scene: Scene, trust: (question: TrustQuestion) => Promise<TrustAnswer>): ChannelThread {
  const listeners = new Set<(status: ChannelStatus) => void>();
  const shells = new Map<string, { summary: TerminalSummary; callbacks?: StreamCallbacks }>();
  const watchers: StreamCallbacks[] = [];
  let next = 1;
  const say = (status: Partial<ChannelStatus> & { state: ChannelState }) =>
    listeners.forEach((listener) => listener({
      workerId: WORKER, mode: 'post-quantum', words: WORDS, fullFingerprint: FULL, verified: false,
      firstSeen: Date.parse('2026-05-03'), lastUsed: Date.now(), deviceWords: 'lamp-thunder-ocean-fabric', ...status,
    }));
  const elsewhere = scene === 'tenants' ? [create(TerminalSummarySchema, { terminalId: 't99', title: 'calculating', state: TerminalState.RUNNING, workspaceId: 'ws2' })] : [];
  const list = () => toBinary(TerminalListSchema, create(TerminalListSchema, { terminals: [...[...shells.values()].map((one) => one.summary), ...elsewhere] }));
  const tell = () => watchers.forEach((watcher) => watcher.onData(list()));
  const devices = () => toBinary(DeviceListSchema, create(DeviceListSchema, { devices: [
    { fingerprint: 'lamp-thunder-ocean-fabric', userId: 'u1', key: new Uint8Array([1]), state: DeviceState.TRUSTED, thisOne: true, label: 'first use', firstSeenUnixMs: 1780000000000n, lastSeenUnixMs: 1790000000000n },
    { fingerprint: 'prize-couch-river-idle', userId: 'u1', key: new Uint8Array([2]), state: scene === 'device' ? DeviceState.WAITING : DeviceState.TRUSTED, label: 'approved', firstSeenUnixMs: 1780000000000n },
  ] }));
  const open = () => {
    const terminalId = `t${next++}`;
    const state = scene === 'ended' ? TerminalState.ENDED : scene === 'lost' ? TerminalState.LOST : TerminalState.RUNNING;
    const summary = create(TerminalSummarySchema, { terminalId, title: next === 2 ? 'bash' : `vim notes-${next}.md`, columns: 80, rows: 24, state, exitCode: 1 });
    shells.set(terminalId, { summary });
    setTimeout(tell, 0);
    return summary;
  };
  const output = (id: string, text: string, sequence: bigint) => {
    const data = new TextEncoder().encode(text);
    shells.get(id)?.callbacks?.onData(toBinary(TerminalEventSchema, create(TerminalEventSchema, { body: { case: 'output', value: { sequence, data } } })));
  };
  return {
    open(workerId) {
      if (workerId !== WORKER) return;
      setTimeout(() => {
        say({ state: 'connecting' });
        const state = STATES[scene];
        if (state) return say(state);
        if (scene === 'trust' || scene === 'weaker') {
          say({ state: 'securing' });
          void trust({
            workerId: WORKER, kind: scene === 'weaker' ? 'mode-weaker' : 'key-changed',
            expected: { words: WORDS, full: FULL, mode: 'post-quantum', firstSeen: Date.parse('2026-05-03'), lastUsed: Date.now() },
            actual: scene === 'weaker' ? { words: WORDS, full: FULL, mode: 'classic' } : { words: 'orbit-silver-canyon-tunnel', full: FULL.replaceAll('a', '3'), mode: 'post-quantum' },
          }).then((answer) => say(answer === 'accept' ? { state: 'ready' } : { state: 'blocked', reason: 'key_changed' }));
          return;
        }
        say({ state: 'ready', rttMs: 1.4 });
        if (scene === 'reconnecting') setTimeout(() => say({ state: 'reconnecting', reason: 'connection_lost', retryAt: Date.now() + 6000 }), 1200);
      }, 50);
    },
    review: () => undefined,
    close: () => undefined,
    async call(_worker, method, payload) {
      if (method === 'terminal.open') return toBinary(TerminalSummarySchema, open());
      if (method === 'terminal.close') {
        shells.delete(fromBinary(TerminalCloseSchema, payload).terminalId);
        tell();
        return toBinary(TerminalClosedSchema, create(TerminalClosedSchema));
      }
      return devices();
    },
    stream(_worker, method, payload, callbacks) {
      if (method === 'terminal.watch') {
        watchers.push(callbacks);
        setTimeout(tell, 0);
      } else if (method === 'devices.watch') {
        setTimeout(() => callbacks.onData(devices()), 0);
      } else if (method === 'terminal.attach') {
        const attach = fromBinary(TerminalAttachSchema, payload);
        const shell = shells.get(attach.terminalId);
        if (shell) shell.callbacks = callbacks;
        const screen = create(TerminalEventSchema, { body: { case: 'snapshot', value: { sequence: 10n, columns: attach.columns, rows: attach.rows, data: new TextEncoder().encode(SCREEN) } } });
        setTimeout(() => callbacks.onData(toBinary(TerminalEventSchema, screen)), 20);
        let sequence = 10n;
        return {
          send(data) {
            const { body } = fromBinary(TerminalInputSchema, data);
            if (body.case !== 'data') return;
            const text = new TextDecoder().decode(body.value).replaceAll('\r', '\r\n$ ');
            sequence += BigInt(new TextEncoder().encode(text).length);
            output(attach.terminalId, text, sequence);
          },
          end: () => undefined,
          cancel: () => undefined,
        };
      }
      return { send: () => undefined, end: () => undefined, cancel: () => undefined };
    },
    onStatus(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    work: fakeWork,
    pins: async () => [{ workerId: WORKER, words: WORDS, full: FULL, mode: 'post-quantum', firstSeen: Date.parse('2026-05-03'), lastUsed: Date.now(), verified: false, label: '' }],
    forgetPin: async () => undefined,
    markVerified: async () => undefined,
  };
}

const SCREEN = [
  '\x1b[32mada@workshop\x1b[0m:\x1b[34m~/leapmux\x1b[0m$ git status -sb', '## \x1b[32mmain\x1b[0m...\x1b[31morigin/main\x1b[0m', ' \x1b[31mM\x1b[0m src/layout/tree.ts', '\x1b[31m??\x1b[0m notes.md',
  '\x1b[32mada@workshop\x1b[0m:\x1b[34m~/leapmux\x1b[0m$ cargo test -p crypto', '   \x1b[1;32mCompiling\x1b[0m crypto v0.1.0', '    \x1b[1;32mFinished\x1b[0m `test` profile in 8.31s', 'test result: \x1b[32mok\x1b[0m. 212 passed; 0 failed; finished in 4.02s',
  '\x1b[38;2;255;120;40m true \x1b[38;2;80;170;250m colour \x1b[38;2;200;110;230m here \x1b[0m  \x1b[33mwarning\x1b[0m \x1b[36mhttps://example.org/docs\x1b[0m', '\x1b[90m# grey, bright black\x1b[0m', '',
  '\x1b[32mada@workshop\x1b[0m:\x1b[34m~/leapmux\x1b[0m$ ',
].join('\r\n');
