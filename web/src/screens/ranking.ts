/** How well a command's title fits what was typed. Pure. */

/** Undefined: not at all. Lower is better. */
export function rank(title: string, query: string): number | undefined {
  const text = title.toLowerCase();
  const wanted = query.trim().toLowerCase();
  if (wanted === '') return 0;
  const at = text.indexOf(wanted);
  if (at === 0) return 0;
  if (at > 0) return text[at - 1] === ' ' ? 1 : 2;
  const words = wanted.split(/\s+/);
  if (words.every((word) => text.includes(word))) return 3;
  return inOrder(text, wanted.replace(/\s+/g, '')) ? 4 : undefined;
}

function inOrder(text: string, letters: string): boolean {
  let from = 0;
  for (const letter of letters) {
    const at = text.indexOf(letter, from);
    if (at < 0) return false;
    from = at + 1;
  }
  return true;
}
