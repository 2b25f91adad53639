import { beforeEach, afterEach, describe, expect, it, vi } from 'vitest';
import type { ChannelStatus, ChannelThread } from '../../src/channel/handle';
import { create } from '@bufbuild/protobuf';
import { WorkerSchema } from '../../src/gen/leapmux/v1/workers_pb';
import { channels, useThread } from '../../src/state/channels';
import { Registration, commandFor } from '../../src/state/registration';
import { workers } from '../../src/state/workers';

const SECRET = 'the-secret-half';
const asked: { method: string; body: Record<string, unknown> }[] = [];
const worked: string[] = [];
let say: (status: ChannelStatus) => void = () => undefined;
let answers: Record<string, () => object>;
const opened: string[] = [];

useThread(() => ({
  work: async (kind: string) => {
    worked.push(kind);
    return { registrationId: 'reg1', secret: SECRET, algorithm: 2, deviceKey: new Uint8Array(4), deviceTag: new Uint8Array(64) };
  },
  open: (workerId: string) => opened.push(workerId),
  onStatus: (listener: (status: ChannelStatus) => void) => { say = listener; return () => undefined; },
}) as unknown as ChannelThread);
channels();

let expires = 0;
beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('location', { origin: 'https://hub.example' });
  vi.stubGlobal('addEventListener', () => undefined);
  vi.stubGlobal('removeEventListener', () => undefined);
  [asked, worked, opened].forEach((list) => { list.length = 0; });
  // The Hub's clock is a day ahead of this one.
  expires = Date.now() + 86_400_000 + 300_000;
  answers = {
    CreateRegistrationKey: () => ({ expiresUnixMs: String(expires) }),
    ExtendRegistrationKey: () => ({ expiresUnixMs: String(expires += 300_000) }),
    GetHandshakeParameters: () => ({ registrationId: 'reg1' }),
    RevokeRegistrationKey: () => ({}),
    ListWorkers: () => ({ workers: [] }),
  };
  workers.value = [worker('old')];
  vi.stubGlobal('fetch', async (path: string, { body }: { body: string }) => {
    const method = path.slice(path.lastIndexOf('/') + 1);
    asked.push({ method, body: JSON.parse(body) as Record<string, unknown> });
    const answer = answers[method]?.();
    return new Response(JSON.stringify(answer ?? { code: 'not_found' }), { status: answer ? 200 : 404 });
  });
});
afterEach(() => vi.useRealTimers());

const worker = (workerId: string) => create(WorkerSchema, { workerId, owned: true, online: true });
const begin = () => Registration.begin({ userId: 'me', name: 'lab', organisationId: '', mode: 'post-quantum' });
const methods = () => asked.map(({ method }) => method);

describe('a registration', () => {
  it('shows a command with both halves of the key, and tells the Hub only one', async () => {
    const registration = await begin();
    expect(registration.command).toBe(`leapmux worker --hub https://hub.example --registration-key-file - <<< reg1.${SECRET}`);
    expect(JSON.stringify(asked)).not.toContain(SECRET);
    expect(asked[0]!.body).toMatchObject({ registrationId: 'reg1', deviceAlgorithm: 2, workerName: 'lab' });
    expect(commandFor('https://h', 'k', 'classic')).toContain(' --encryption-mode classic ');
    await registration.close();
  });

  it('is extended in its last two minutes and never before, for as long as it is open', async () => {
    const registration = await begin();
    await vi.advanceTimersByTimeAsync(180_000);
    expect(methods()).not.toContain('ExtendRegistrationKey');
    await vi.advanceTimersByTimeAsync(15_000);
    expect(methods().filter((one) => one === 'ExtendRegistrationKey')).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1_800_000);
    expect(registration.phase.value).toBe('waiting');
    expect(methods().filter((one) => one === 'ExtendRegistrationKey')).toHaveLength(7);
    await registration.close();
  });

  it('that the Hub no longer extends is over in its time', async () => {
    const registration = await begin();
    delete answers['ExtendRegistrationKey'];
    await vi.advanceTimersByTimeAsync(301_000);
    expect(registration.phase.value).toBe('expired');
    await registration.close();
  });

  it('knows its Worker by the registration and asks for its channel; what proves the key ends it well', async () => {
    const registration = await begin();
    workers.value = [worker('old'), worker('new')];
    await vi.advanceTimersByTimeAsync(1);
    expect(registration.workerId.value).toBe('new');
    expect(opened).toEqual(['new']);
    expect(registration.proof.value).toBe('pending');
    say({ workerId: 'new', state: 'ready', verified: true });
    expect(registration.proof.value).toBe('verified');
    await registration.close();
    expect(methods()).not.toContain('RevokeRegistrationKey');
    expect(worked).not.toContain('forget-registration');
  });

  it('takes no other Worker for its own, and says when the key is not the proved one', async () => {
    const registration = await begin();
    answers['GetHandshakeParameters'] = () => ({ registrationId: 'another' });
    workers.value = [worker('old'), worker('someone')];
    await vi.advanceTimersByTimeAsync(1);
    expect(registration.workerId.value).toBeUndefined();
    answers['GetHandshakeParameters'] = () => ({ registrationId: 'reg1' });
    workers.value = [...workers.value, worker('swapped')];
    await vi.advanceTimersByTimeAsync(1);
    say({ workerId: 'swapped', state: 'blocked', reason: 'registration_mismatch' });
    expect(registration.proof.value).toBe('wrong');
    await registration.close();
  });

  it('that is closed before a Worker came is dead at the Hub and forgotten here', async () => {
    const registration = await begin();
    await registration.close();
    expect(methods()).toContain('RevokeRegistrationKey');
    expect(worked).toContain('forget-registration');
    await vi.advanceTimersByTimeAsync(600_000);
    expect(methods()).not.toContain('ExtendRegistrationKey');
  });

  it('that the Hub refuses leaves no secret behind', async () => {
    delete answers['CreateRegistrationKey'];
    await expect(begin()).rejects.toThrow();
    expect(worked).toEqual(['begin-registration', 'forget-registration']);
  });
});
