/** Reads a tree that was written by an earlier page. What does not fit is no tree at all. */

import { type Float, type Tree, within } from './tree';

const MAX_DEPTH = 12;
const MAX_TABS = 64;

export function parseTree(text: string | null): Tree | undefined {
  if (text === null || text.length > 100_000) return undefined;
  try {
    const tree = readTree(JSON.parse(text), 0, new Set());
    return tree;
  } catch {
    return undefined;
  }
}

function readTree(value: unknown, depth: number, seen: Set<string>): Tree {
  const node = value as Record<string, unknown> | null;
  if (!node || typeof node !== 'object' || depth > MAX_DEPTH) throw new TypeError('not a tree');
  const id = once(node['id'], seen);
  if (node['kind'] === 'split') {
    const direction = node['direction'];
    const ratio = Number(node['ratio']);
    if (direction !== 'row' && direction !== 'column') throw new TypeError('no direction');
    if (!(ratio >= 0.1 && ratio <= 0.9)) throw new TypeError('no ratio');
    const first = readTree(node['first'], depth + 1, seen);
    const second = readTree(node['second'], depth + 1, seen);
    const float = readFloat(node['float']);
    return { kind: 'split', id, direction, ratio, first, second, ...(float && { float }) };
  }
  const tabs = node['tabs'];
  if (node['kind'] !== 'leaf' || !Array.isArray(tabs)) throw new TypeError('not a tile');
  if (tabs.length > MAX_TABS) throw new TypeError('too many tabs');
  const names = tabs.map((tab) => once(tab, seen));
  const active = node['active'];
  const shown = typeof active === 'string' && names.includes(active) ? active : (names[0] ?? null);
  return { kind: 'leaf', id, tabs: names, active: shown };
}

/** Undefined for a split that lifts nothing, or says so in no way that can be read. */
export function readFloat(value: unknown): Float | undefined {
  if (!value || typeof value !== 'object') return undefined;
  const { x, y, width, height } = value as Record<string, unknown>;
  const numbers = [x, y, width, height].every((one) => typeof one === 'number' && one >= 0 && one <= 1);
  return numbers ? within(value as Float) : undefined;
}

function once(value: unknown, seen: Set<string>): string {
  if (typeof value !== 'string' || value === '' || value.length > 200 || seen.has(value)) {
    throw new TypeError('not an id of its own');
  }
  seen.add(value);
  return value;
}
