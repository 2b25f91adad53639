/** Places of tabs in their list, as numbers that two people can choose at once. Pure. */

export interface Placed {
  id: string;
  at: number;
}

/** Two that chose the same number stand in the order of their ids, for everybody alike. */
export function byPlace(a: Placed, b: Placed): number {
  return a.at - b.at || (a.id < b.id ? -1 : 1);
}

/**
 * Numbers under which `ids` stand in this order. As many as possible keep the one they have, so that
 * two people who move different tabs do not undo each other.
 */
export function placesFor(ids: readonly string[], known: ReadonlyMap<string, number>): Map<string, number> {
  const kept = longestRise(ids.map((id) => known.get(id)));
  const places = new Map<string, number>();
  for (let at = 0; at < ids.length;) {
    if (kept[at]) {
      places.set(ids[at]!, known.get(ids[at]!)!);
      at += 1;
      continue;
    }
    const end = nextKept(kept, at);
    const from = at === 0 ? undefined : places.get(ids[at - 1]!);
    const to = end < ids.length ? known.get(ids[end]!) : undefined;
    const between = spread(from, to, end - at);
    if (!between) return new Map(ids.map((id, index) => [id, index]));
    between.forEach((place, index) => places.set(ids[at + index]!, place));
    at = end;
  }
  return places;
}

function nextKept(kept: readonly boolean[], from: number): number {
  const found = kept.indexOf(true, from);
  return found < 0 ? kept.length : found;
}

/** Undefined when there is no number left between the two. */
function spread(from: number | undefined, to: number | undefined, count: number): number[] | undefined {
  const low = from ?? (to === undefined ? -1 : to - count - 1);
  const high = to ?? low + count + 1;
  const made = Array.from({ length: count }, (_, index) => low + ((high - low) * (index + 1)) / (count + 1));
  const rises = [low, ...made, high].every((place, index, all) => index === 0 || place > all[index - 1]!);
  return rises ? made : undefined;
}

/** Which of the numbers belong to a longest strictly rising row. */
function longestRise(numbers: readonly (number | undefined)[]): boolean[] {
  const best: { length: number; before: number }[] = [];
  let last = -1;
  numbers.forEach((number, at) => {
    best[at] = { length: number === undefined ? 0 : 1, before: -1 };
    if (number === undefined) return;
    for (let earlier = 0; earlier < at; earlier++) {
      const other = numbers[earlier];
      if (other === undefined || other >= number || best[earlier]!.length < best[at]!.length) continue;
      best[at] = { length: best[earlier]!.length + 1, before: earlier };
    }
    if (last < 0 || best[at]!.length > best[last]!.length) last = at;
  });
  const kept = numbers.map(() => false);
  for (let at = last; at >= 0 && best[at]!.length > 0; at = best[at]!.before) kept[at] = true;
  return kept;
}
