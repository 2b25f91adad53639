// Rules about the code of the channel itself.

import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { WORDS } from '../../src/crypto/words';

const SRC = new URL('../../src/', import.meta.url);
const files = (folder: string) => readdirSync(new URL(folder, SRC)).filter((name) => name.endsWith('.ts')).map((name) => `${folder}${name}`);
const read = (file: string) => readFileSync(new URL(file, SRC), 'utf8');
const own = [...files('channel/'), ...files('crypto/')];
const ALLOWED = [/^@noble\//, /^@bufbuild\/protobuf$/, /^\.\/[a-z0-9-]+$/, /^\.\.\/(crypto|channel)\/[a-z0-9-]+$/, /^\.\.\/gen\//];

describe.each(own)('%s', (file) => {
  const text = read(file);

  it('imports nothing but noble, the generated messages and its own', () => {
    const imports = [...text.matchAll(/from '([^']+)'|import\('([^']+)'\)/g)].map((match) => match[1] ?? match[2]!);
    expect(imports.filter((name) => !ALLOWED.some((allowed) => allowed.test(name)))).toEqual([]);
  });

  it('has at most 300 lines', () => {
    expect(text.split('\n').length - 1).toBeLessThanOrEqual(300);
  });
});

it('keeps clock, randomness and sockets out of the brains', () => {
  const shells = new Set(['channel/thread.ts', 'channel/handle.ts', 'channel/parameters.ts', 'channel/unary.ts', 'channel/device.ts', 'channel/database.ts']);
  const reaching = /Date\.now|performance\.|Math\.random|getRandomValues|randomBytes|new WebSocket|setTimeout|fetch\(|indexedDB\b/;
  expect(own.filter((file) => !shells.has(file) && reaching.test(read(file)))).toEqual([]);
});

it('imports cryptography into no door of the page', () => {
  expect(read('channel/handle.ts')).not.toMatch(/from '\.\.\/crypto|@noble/);
});

it('has the same word list as the other language', () => {
  const list = readFileSync(new URL('../../../crypto/src/wordlist.txt', import.meta.url), 'utf8').trim().split('\n');
  expect(WORDS).toEqual(list);
});
