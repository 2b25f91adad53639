/** What the documents of layouts are made of: a few maps of plain values, and of nothing else. */

import * as Y from 'yjs';

/** No clock of an honest page comes near; the library adds them as they are. */
const MOST_CLOCK = 2 ** 31;
/** Nor does an entry of a layout; what is read is written again, and both go as deep as it goes. */
const MOST_DEPTH = 8;

/** Whether a struct is one of a layout and stands on what is known: of each client everything up to a clock. */
export function isOfLayout(struct: Y.AbstractStruct, known: (client: number) => number): boolean {
  if (struct.id.clock + struct.length > MOST_CLOCK || struct instanceof Y.Skip) return false;
  if (!(struct instanceof Y.Item)) return true;
  const { content, origin, rightOrigin, parent, parentSub } = struct;
  // An entry stands behind the one it takes the place of, or is the first under its name in a map with a name.
  const stands = origin ? origin.clock < known(origin.client) : typeof parent === 'string' && parentSub !== null;
  if (!stands || rightOrigin) return false;
  return content instanceof Y.ContentDeleted || (content instanceof Y.ContentAny && content.arr.length === 1 && isShallow(content.arr[0], 0));
}

/** What a struct stands behind. Two have the same if they were made without each other, and are compared. */
export function placeOf(struct: Y.AbstractStruct): string {
  if (!(struct instanceof Y.Item)) return '';
  const { origin, parent, parentSub } = struct;
  return origin ? `${origin.client} ${origin.clock}` : `${typeof parent === 'string' ? parent : ''}\n${parentSub ?? ''}`;
}

function isShallow(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth < MOST_DEPTH && Object.values(value).every((inner) => isShallow(inner, depth + 1));
}
