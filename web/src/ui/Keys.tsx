import { spoken } from '../state/hotkeys';

/** A key combination as keycaps. */
export function Keys({ text }: { text: string }) {
  return (
    <span class="keys">
      {spoken(text).map((part) => <kbd key={part}>{part}</kbd>)}
    </span>
  );
}
