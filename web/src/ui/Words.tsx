import { displayText } from './text';

/** Four words, with those marked that differ from another four. */
export function Words({ words, against }: { words: string; against?: string }) {
  const other = against?.split('-') ?? [];
  return (
    <span class="words" translate={false}>
      {displayText(words, 80).split('-').map((word, at) => (
        <span key={`${at}${word}`}>
          {at > 0 && <span class="hyphen">-</span>}
          {against !== undefined && other[at] !== word ? <mark>{word}</mark> : word}
        </span>
      ))}
    </span>
  );
}
