/** A person as a small disc; the name itself stands beside it or in its title. */

const TONES = 6;

export function Initials({ name, seed, title }: { name: string; seed: string; title?: string }) {
  const words = name.split(/[\s.-]+/).filter((word) => word !== '');
  const letters = words.length > 1 ? `${first(words[0])}${first(words.at(-1))}` : first(words[0]);
  return <span class={`initials tone-${toneOf(seed)}`} title={title} aria-hidden={title === undefined ? 'true' : undefined} role={title === undefined ? undefined : 'img'} aria-label={title}>{letters.toUpperCase()}</span>;
}

function first(word: string | undefined): string {
  return Array.from(word ?? '?')[0] ?? '?';
}

/** The same person has the same tone everywhere. */
export function toneOf(seed: string): number {
  return Array.from(seed).reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 9973, 7) % TONES;
}
