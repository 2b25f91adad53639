// How much the page weighs, as a browser loads it.
import { gzipSync } from 'node:zlib';
import { build, type Rollup } from 'vite';
import { expect, it } from 'vitest';

const KB = 1_000;
const FIRST = 60 * KB;
const EVERYTHING = 400 * KB;

it('has a sign-in page of 60 KB of script and less than 400 in all, compressed', async () => {
  const built = (await build({ logLevel: 'silent', build: { write: false, reportCompressedSize: false } })) as Rollup.RollupOutput;
  const scripts = new Map(built.output.filter((one) => one.fileName.endsWith('.js')).map((one) => [one.fileName, one]));
  const weigh = (one: Rollup.OutputChunk | Rollup.OutputAsset) => gzipSync(one.type === 'chunk' ? one.code : one.source).length;
  const entry = [...scripts.values()].find((one) => one.type === 'chunk' && one.isEntry);
  const first = new Set<string>();
  const follow = (name: string): void => {
    const chunk = scripts.get(name);
    if (first.has(name) || chunk?.type !== 'chunk') return;
    first.add(name);
    chunk.imports.forEach(follow);
  };
  follow(entry?.fileName ?? '');
  const sum = (names: Iterable<string>) => [...names].reduce((total, name) => total + weigh(scripts.get(name)!), 0);
  expect(first.size).toBeGreaterThan(0);
  expect(sum(first)).toBeLessThanOrEqual(FIRST);
  expect(scripts.size).toBeGreaterThan(4);
  expect(sum(scripts.keys())).toBeLessThanOrEqual(EVERYTHING);
});
