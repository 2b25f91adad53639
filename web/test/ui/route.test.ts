import { beforeEach, describe, expect, it, vi } from 'vitest';

const kept = new Map<string, string>();
const addresses: string[] = [];
let onpop: () => void = () => undefined;

beforeEach(() => {
  kept.clear();
  addresses.length = 0;
  vi.resetModules();
  vi.stubGlobal('addEventListener', (name: string, listener: () => void) => { if (name === 'popstate') onpop = listener; });
  vi.stubGlobal('sessionStorage', { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => kept.set(key, value), removeItem: (key: string) => kept.delete(key) });
  vi.stubGlobal('history', { pushState: (_: null, __: string, path: string) => addresses.push(path), replaceState: (_: null, __: string, path: string) => addresses.push(`=${path}`) });
});

async function at(pathname: string, hash = '') {
  vi.stubGlobal('location', { pathname, hash });
  return import('../../src/state/route');
}

describe('the place of the page', () => {
  it('is the first part of the path, and a section behind it', async () => {
    const { route, section, go } = await at('/settings/logins');
    expect([route.value, section.value]).toEqual(['settings', 'logins']);
    go('admin', 'audit');
    go('admin', 'audit');
    go('workspace');
    expect(addresses).toEqual(['/admin/audit', '/']);
    vi.stubGlobal('location', { pathname: '/admin/<b>', hash: '' });
    onpop();
    expect([route.value, section.value]).toEqual(['admin', '']);
  });

  it('takes a secret out of the address and keeps it for this tab until it has done its work', async () => {
    const first = await at('/join', '#secret');
    expect(addresses).toEqual(['=/join']);
    expect([first.carried('join'), first.carried('reset')]).toEqual(['secret', '']);
    vi.resetModules();
    // After a reload, or back from a provider.
    const second = await at('/join');
    expect(second.carried('join')).toBe('secret');
    second.dropCarried();
    expect([second.carried('join'), kept.size]).toEqual(['', 0]);
  });

  it('forgets the code of a mail when it is left, and keeps an invitation on the way to the sign-in', async () => {
    const mail = await at('/reset', '#code');
    mail.go('workspace');
    mail.go('reset');
    expect([mail.carried('reset'), kept.size]).toEqual(['', 0]);
    vi.resetModules();
    const back = await at('/reset', '#code');
    vi.stubGlobal('location', { pathname: '/', hash: '' });
    onpop();
    expect(back.carried('reset')).toBe('');
    vi.resetModules();
    const join = await at('/join', '#secret');
    join.go('sign-up');
    expect(join.carried('join')).toBe('secret');
  });

  it('leaves what stands behind # elsewhere alone', async () => {
    const { carried } = await at('/settings', '#tiles');
    expect([addresses, carried('join'), kept.size]).toEqual([[], '', 0]);
  });

  it('works without storage as long as the page lives', async () => {
    vi.stubGlobal('sessionStorage', { getItem: () => { throw new Error('denied'); }, setItem: () => { throw new Error('denied'); }, removeItem: () => { throw new Error('denied'); } });
    const { carried } = await at('/reset', '#code');
    expect(carried('reset')).toBe('code');
  });
});
