import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.tsx?$/.test(name) && !name.startsWith('gen/'))
  .map((name) => ({ name, text: readFileSync(join('src', name), 'utf8') }));

const naming = (pattern: RegExp, allowed: string[] = []) =>
  files.filter(({ name, text }) => pattern.test(text) && !allowed.includes(name)).map(({ name }) => name);

describe('the page', () => {
  it('has no source file of more than 300 lines', () => {
    const long = files.filter(({ name, text }) => text.split('\n').length > 301 && name !== 'crypto/words.ts');
    expect(long.map(({ name }) => name)).toEqual([]);
  });

  it('makes no markup from strings', () => {
    expect(naming(/innerHTML|outerHTML|insertAdjacentHTML|dangerouslySet|document\.write/)).toEqual([]);
  });

  it('creates its only Trusted Types policy in one place', () => {
    expect(naming(/createPolicy\(/)).toEqual(['csp.ts']);
  });

  it('carries no style attribute as text', () => {
    expect(naming(/style="|style='/)).toEqual([]);
  });

  it('keeps the document object out of the channel and the crypto', () => {
    const inside = files.filter(({ name }) => /^(channel|crypto)\//.test(name) && name !== 'channel/handle.ts');
    expect(inside.length).toBeGreaterThan(10);
    const foreign = inside.flatMap(({ name, text }) =>
      [...text.matchAll(/from '([^']+)'/g)].map((found) => `${name}: ${found[1]}`),
    ).filter((line) => !/: (@noble\/|@bufbuild\/protobuf|\.\/|\.\.\/(crypto|gen|channel)\/)/.test(line));
    expect(foreign).toEqual([]);
    expect(inside.filter(({ text }) => /\b(document|localStorage)\./.test(text)).map(({ name }) => name)).toEqual([]);
  });

  it('needs no package that runs a script when it is installed', () => {
    const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, { hasInstallScript?: boolean; resolved?: string; optional?: boolean }> };
    const scripts = Object.entries(lock.packages).filter(([, one]) => one.hasInstallScript && !one.optional);
    expect(scripts.map(([name]) => name)).toEqual([]);
    expect(Object.values(lock.packages).filter((one) => one.resolved !== undefined)).toEqual([]);
  });
});
