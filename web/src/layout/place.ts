/** From a tree to rectangles, and from rectangles to neighbours. Pure; lengths in CSS pixels. */

import type { Direction, Side, Tree } from './tree';

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Divider {
  id: string;
  direction: Direction;
  ratio: number;
  rect: Rect;
  floats?: boolean;
  /** The box that the split shares out, to turn a pointer position into a ratio. */
  box: Rect;
}

export interface Placement {
  /** `floats`: the split that lifts it. */
  tiles: { id: string; rect: Rect; floats?: string }[];
  dividers: Divider[];
}

export function place(tree: Tree, box: Rect, gap: number): Placement {
  if (tree.kind === 'leaf') return { tiles: [{ id: tree.id, rect: box }], dividers: [] };
  if (tree.float) {
    const { x, y, width, height } = tree.float;
    const over = { x: box.x + Math.round(x * box.width), y: box.y + Math.round(y * box.height), width: Math.round(width * box.width), height: Math.round(height * box.height) };
    const [under, lifted] = [place(tree.first, box, gap), place(tree.second, over, gap)];
    const floating = lifted.tiles.map((tile) => ({ ...tile, floats: tree.id }));
    return { tiles: [...under.tiles, ...floating], dividers: [...under.dividers, ...lifted.dividers.map((line) => ({ ...line, floats: true }))] };
  }
  const row = tree.direction === 'row';
  const length = row ? box.width : box.height;
  const between = Math.min(gap, length);
  const room = length - between;
  const head = Math.round(room * tree.ratio);
  const first = place(tree.first, part(box, row, 0, head), gap);
  const second = place(tree.second, part(box, row, head + between, room - head), gap);
  const rect = part(box, row, head, between);
  const divider = { id: tree.id, direction: tree.direction, ratio: tree.ratio, rect, box };
  return {
    tiles: [...first.tiles, ...second.tiles],
    dividers: [divider, ...first.dividers, ...second.dividers],
  };
}

/** Each window as a whole, with the last of its tiles. */
export function windowsOf({ tiles }: Placement): { id: string; rect: Rect; tile: string }[] {
  const windows = new Map<string, { id: string; rect: Rect; tile: string }>();
  for (const { id: tile, rect, floats: id } of tiles) {
    if (id === undefined) continue;
    const known = windows.get(id)?.rect ?? rect;
    const [x, y] = [Math.min(known.x, rect.x), Math.min(known.y, rect.y)];
    const [right, bottom] = [Math.max(known.x + known.width, rect.x + rect.width), Math.max(known.y + known.height, rect.y + rect.height)];
    windows.set(id, { id, tile, rect: { x, y, width: right - x, height: bottom - y } });
  }
  return [...windows.values()];
}

/** The tile that a person would call the next one on that side, if there is one. */
export function neighbour(placement: Placement, from: string, side: Side): string | undefined {
  const start = placement.tiles.find((tile) => tile.id === from)?.rect;
  if (!start) return undefined;
  const ahead = placement.tiles
    .filter((tile) => tile.id !== from && overlap(start, tile.rect, side) > 0)
    .map((tile) => ({ id: tile.id, distance: distance(start, tile.rect, side) }))
    .filter((tile) => tile.distance >= 0)
    .sort((a, b) => a.distance - b.distance);
  return ahead[0]?.id;
}

/** Where in a tile a dragged tab would land: the middle, or the half on one side. */
export function dropZone(rect: Rect, x: number, y: number): Side | 'middle' {
  const across = (x - rect.x) / Math.max(1, rect.width);
  const down = (y - rect.y) / Math.max(1, rect.height);
  const nearest = [
    { side: 'left', at: across },
    { side: 'right', at: 1 - across },
    { side: 'up', at: down },
    { side: 'down', at: 1 - down },
  ].sort((a, b) => a.at - b.at)[0];
  return nearest && nearest.at < 0.25 ? (nearest.side as Side) : 'middle';
}

export function half(rect: Rect, zone: Side | 'middle'): Rect {
  const { x, y, width, height } = rect;
  switch (zone) {
    case 'left':
      return { x, y, width: width / 2, height };
    case 'right':
      return { x: x + width / 2, y, width: width / 2, height };
    case 'up':
      return { x, y, width, height: height / 2 };
    case 'down':
      return { x, y: y + height / 2, width, height: height / 2 };
    case 'middle':
      return rect;
  }
}

function part(box: Rect, row: boolean, offset: number, length: number): Rect {
  return row
    ? { x: box.x + offset, y: box.y, width: length, height: box.height }
    : { x: box.x, y: box.y + offset, width: box.width, height: length };
}

function overlap(a: Rect, b: Rect, side: Side): number {
  return side === 'left' || side === 'right'
    ? Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y)
    : Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
}

function distance(from: Rect, to: Rect, side: Side): number {
  switch (side) {
    case 'left':
      return from.x - (to.x + to.width);
    case 'right':
      return to.x - (from.x + from.width);
    case 'up':
      return from.y - (to.y + to.height);
    case 'down':
      return to.y - (from.y + from.height);
  }
}
