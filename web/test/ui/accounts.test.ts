import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { listenToHub } from '../../src/hub/events';
import { lasting, sentence } from '../../src/hub/refusals';
import { RpcFailure } from '../../src/hub/rpc';
import { account, ended, hub, onSignedOut, profile, whoAmI } from '../../src/state/account';
import { EVERYTHING, exported, readAll } from '../../src/state/audit';
import { setUp, signIn, signUp } from '../../src/state/entry';
import { browserName, changePassword, listLogins } from '../../src/state/myself';
import { deviceCode, nameProblem, passwordHint, passwordProblem } from '../../src/state/names';
import { authorise, denial, isLoopback, readAsking } from '../../src/state/programs';

type Answer = object | { status: number; code: string; message?: string; retryAfter?: number };

let answers: Record<string, Answer | ((body: Record<string, unknown>) => Answer)> = {};
const asked: [string, Record<string, unknown>][] = [];

beforeEach(() => {
  answers = {};
  asked.length = 0;
  account.value = { state: 'asking' };
  vi.stubGlobal('location', { href: 'http://hub.example/', protocol: 'http:', assign: () => undefined });
  vi.stubGlobal('fetch', async (path: string, init: { body: string }) => {
    const method = path.split('/').at(-1) ?? '';
    const body = JSON.parse(init.body) as Record<string, unknown>;
    asked.push([method, body]);
    const known = answers[method] ?? {};
    const answer = typeof known === 'function' ? known(body) : known;
    const { status = 200, retryAfter } = answer as { status?: number; retryAfter?: number };
    return new Response(JSON.stringify(answer), { status, headers: retryAfter ? { 'retry-after': String(retryAfter) } : {} });
  });
});
afterEach(() => vi.unstubAllGlobals());

const failure = (act: Promise<unknown>) => act.then(() => { throw new Error('it was not refused'); }, (error: unknown) => error as RpcFailure);
const SIGNED_IN = { status: 401, code: 'unauthenticated', message: 'sign in first' };
const methods = () => asked.map(([method]) => method);

describe('a refusal', () => {
  it('carries the code, what the Hub said and how long to wait', async () => {
    answers['SignIn'] = { status: 429, code: 'resource_exhausted', message: 'too many attempts; try again later', retryAfter: 95 };
    const refused = await failure(signIn('ada', 'wrong'));
    expect([refused.code, refused.retryAfter, sentence(refused)]).toEqual(['resource_exhausted', 95, 'Too many attempts. Try again in 1 min 35 s.']);
    expect([lasting(59), lasting(95), lasting(7_260)]).toEqual(['59 s', '1 min 35 s', '2 h 1 min']);
  });

  it('is told in sentences that say what to do, also where the Hub says them', () => {
    const spoken = (code: string, said = '') => sentence(new RpcFailure(code, said));
    expect(spoken('unauthenticated', 'the user name or the password is wrong')).toBe('The user name or the password is wrong.');
    expect(spoken('unauthenticated', 'sign in first')).toBe('You are signed out. Sign in again.');
    expect(spoken('failed_precondition', 'the last owner cannot go: make somebody else an owner first')).toMatch(/^The last owner cannot go: .* first\.$/);
    expect(spoken('resource_exhausted', 'a quota is used up: workers')).toBe('A quota is used up: workers.');
    expect(spoken('invalid_argument', 'name\u202e is \u0007odd')).toBe('Name is odd.');
    expect(spoken('internal', 'internal error')).toBe('The Hub could not do this. Try again in a moment.');
    expect(sentence(new TypeError('a bug'))).toMatch(/Reload/);
    expect(sentence(new RpcFailure('not_found'), { not_found: 'Ask for a new one.' })).toBe('Ask for a new one.');
  });

  it('of a secret that was typed wrongly is no doubt about the login', async () => {
    account.value = { state: 'signed-in', userId: 'ada', username: 'ada', solo: false, version: '' };
    answers['ChangePassword'] = { status: 401, code: 'unauthenticated', message: 'the user name or the password is wrong' };
    await failure(changePassword('wrong', 'long enough'));
    expect(methods()).toEqual(['ChangePassword']);
    expect(account.value.state).toBe('signed-in');
  });
});

describe('a login that has ended', () => {
  it('is noticed at the next call, whatever it was, and stops what works in its name', async () => {
    const stopped = vi.fn();
    onSignedOut(stopped);
    account.value = { state: 'signed-in', userId: 'ada', username: 'ada', solo: false, version: '' };
    answers['ListLogins'] = SIGNED_IN;
    answers['WhoAmI'] = {};
    await failure(listLogins());
    await vi.waitFor(() => expect(account.value).toEqual({ state: 'signed-out', why: 'ended' }));
    expect(stopped).toHaveBeenCalledTimes(1);
    expect(profile.value).toBeUndefined();
    ended();
    expect(stopped).toHaveBeenCalledTimes(1);
  });

  it('closes the events for good, while any other end is followed by another try', () => {
    vi.useFakeTimers();
    const made: { onclose?: (event: { code: number; reason: string }) => void }[] = [];
    vi.stubGlobal('WebSocket', class { onclose = (): void => undefined; constructor() { made.push(this); } close() {} });
    const onRevoked = vi.fn();
    listenToHub({ onEvent: () => undefined, onResync: () => undefined, onRefused: () => undefined, onRevoked });
    made[0]!.onclose!({ code: 1008, reason: 'foreign_channel' });
    vi.advanceTimersByTime(2_000);
    expect([made.length, onRevoked.mock.calls.length]).toEqual([2, 0]);
    made[1]!.onclose!({ code: 1008, reason: 'revoked' });
    vi.advanceTimersByTime(600_000);
    expect([made.length, onRevoked.mock.calls.length]).toEqual([2, 1]);
    vi.useRealTimers();
  });
});

describe('the ways in', () => {
  it('know what the Hub is before anybody is signed in', async () => {
    answers['WhoAmI'] = { hubVersion: '1', setupRequired: true, signUpOpen: true, mailAvailable: true };
    await whoAmI();
    expect(hub.value).toEqual({ version: '1', solo: false, setUpRequired: true, signUpOpen: true, mail: true });
    expect(account.value).toEqual({ state: 'signed-out' });
  });

  it('sign in with the new password where the answer brought no login', async () => {
    let signedIn = false;
    answers['SignIn'] = () => ((signedIn = true), {});
    answers['WhoAmI'] = () => (signedIn ? { signedIn, userId: 'us_1', username: 'ada' } : {});
    await setUp('token', { username: 'ada', password: 'long enough', displayName: '' });
    expect(methods()).toEqual(['SetUp', 'WhoAmI', 'SignIn', 'WhoAmI']);
    expect(asked[0]![1]).toEqual({ accessToken: 'token', username: 'ada', password: 'long enough' });
    expect(account.value).toMatchObject({ state: 'signed-in', username: 'ada' });
  });

  it('carry an invitation into a new account', async () => {
    answers['WhoAmI'] = { signedIn: true, userId: 'us_1', username: 'ada' };
    await signUp({ username: 'ada', password: 'long enough', displayName: 'Ada' }, '', 'secret');
    expect(asked[0]).toEqual(['SignUp', { username: 'ada', password: 'long enough', displayName: 'Ada', invitation: 'secret' }]);
  });
});

describe('names and passwords', () => {
  it('follow the rules of the Hub', () => {
    expect(['a', 'ada-2', 'x'.repeat(32)].map((name) => nameProblem(name))).toEqual([undefined, undefined, undefined]);
    expect(['', 'Ada', 'a_b', '-a', 'a-', 'a--b', 'x'.repeat(33)].map((name) => nameProblem(name) !== undefined)).toEqual(Array(7).fill(true));
    expect([passwordProblem('1234567'), passwordProblem('12345678'), passwordProblem('é'.repeat(128)), passwordProblem('é'.repeat(129))].map(Boolean)).toEqual([true, false, false, true]);
    expect([passwordHint('12345'), passwordHint('😀'.repeat(8))]).toEqual(['3 more to go.', 'Long enough.']);
  });

  it('are read out of what a person types and a browser says', () => {
    expect([deviceCode('wdjb mjht'), deviceCode('wdj'), deviceCode('WDJB-MJHT-XX')]).toEqual(['WDJB-MJHT', 'WDJ', 'WDJB-MJHT']);
    expect(browserName('Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0')).toBe('Firefox on Linux');
    expect(browserName('Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/156.0 Mobile Safari/537.36')).toBe('Chrome on Android');
    expect(browserName('curl/8.1')).toBeUndefined();
  });
});

describe('a command line that asks to act for somebody', () => {
  const challenge = 'c'.repeat(43);
  const fragment = (redirect: string) => new URLSearchParams({ client: 'cli', challenge, redirect_uri: redirect, state: 's&t' }).toString();

  it('gets its answer on a port of this machine and nowhere else', () => {
    expect(['http://127.0.0.1:4/x', 'http://[::1]:4/x'].map(isLoopback)).toEqual([true, true]);
    const elsewhere = ['https://127.0.0.1/', 'http://localhost/', 'http://127.0.0.1.example.org/', 'http://u:p@127.0.0.1/', 'http://example.org/', 'javascript:alert(1)', '//127.0.0.1', ''];
    expect(elsewhere.map(isLoopback)).toEqual(elsewhere.map(() => false));
    expect(readAsking(fragment('http://example.org/'))).toBeUndefined();
    expect(readAsking(fragment('http://127.0.0.1:4/').replace('ccc', ''))).toBeUndefined();
  });

  it('is answered by the Hub, whose word is checked again, or denied with its state', async () => {
    const asking = readAsking(fragment('http://127.0.0.1:41327/callback'))!;
    expect(asking).toEqual({ client: 'cli', challenge, redirectUri: 'http://127.0.0.1:41327/callback', state: 's&t' });
    answers['AuthoriseCommandLine'] = { redirectTo: 'http://127.0.0.1:41327/callback?code=x&state=s' };
    expect(await authorise(asking)).toContain('code=x');
    for (const redirectTo of ['http://example.org/?code=x', 'http://127.0.0.1:9/callback?code=x', 'javascript:alert(1)']) {
      answers['AuthoriseCommandLine'] = { redirectTo };
      await expect(authorise(asking)).rejects.toThrow();
    }
    expect(denial(asking)).toBe('http://127.0.0.1:41327/callback?error=access_denied&state=s%26t');
  });
});

describe('the export of the audit log', () => {
  it('reads page after page to the first entry and writes what the command line writes', async () => {
    const total = 450;
    answers['ListAudit'] = ({ before, limit }) => {
      const from = before ? Number(before) - 1 : total;
      const entries = Array.from({ length: Math.min(Number(limit), from) }, (_, at) => ({
        seq: String(from - at), atUnixMs: '5', actorKind: 'user', actorId: 'u', action: 'login.made', objectKind: 'credential', objectId: 'c', hash: '/wA=',
      }));
      return { entries };
    };
    const told: number[] = [];
    const all = await readAll(EVERYTHING, (count) => told.push(count));
    expect([all.length, told, methods().length]).toEqual([total, [200, 400, 450], 3]);
    expect(all.map((one) => Number(one.seq))).toEqual(Array.from({ length: total }, (_, at) => total - at));
    expect((JSON.parse(exported(all)) as object[])[0]).toEqual({
      seq: total, at_ms: 5, actor_kind: 'user', actor_id: 'u', address: '', action: 'login.made', object_kind: 'credential', object_id: 'c', organisation_id: null, detail: '', hash: 'ff00',
    });
  });
});
