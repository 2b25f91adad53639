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
  /** The box that the split shares out, to turn a pointer position into a ratio. */
  box: Rect;
}

export interface Placement {
  tiles: { id: string; rect: Rect }[];
  dividers: Divider[];
}

export function place(tree: Tree, box: Rect, gap: number): Placement {
  if (tree.kind === 'leaf') return { tiles: [{ id: tree.id, rect: box }], dividers: [] };
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
