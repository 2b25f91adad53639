import { ArrowDown, ArrowUp, CaseSensitive, X } from 'lucide';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Icon } from '../ui/Icon';
import type { TerminalSession } from './session';

export function FindBar({ session }: { session: TerminalSession }) {
  const field = useRef<HTMLInputElement>(null);
  const [text, setText] = useState('');
  const [matchCase, setMatchCase] = useState(false);
  const { index, count } = session.found.value;
  // Before the next key can be typed.
  useLayoutEffect(() => field.current?.focus(), []);
  useEffect(() => session.search(text, 'previous', matchCase), [text, matchCase]);

  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'Escape') session.endFind();
    else if (event.key === 'Enter') session.search(text, event.shiftKey ? 'next' : 'previous', matchCase);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="find-bar" role="search" onKeyDown={onKey}>
      <input ref={field} aria-label="Find in terminal" placeholder="Find" value={text} spellcheck={false} autocomplete="off"
        onInput={(event) => setText(event.currentTarget.value)} />
      <output class="find-count" aria-live="polite">{text === '' ? '' : count === 0 ? 'None' : index < 0 ? `${count}+` : `${index + 1} of ${count}`}</output>
      <button class="ghost small" aria-label="Match case" aria-pressed={matchCase} title="Match case" onClick={() => setMatchCase(!matchCase)}><Icon of={CaseSensitive} /></button>
      <button class="ghost small" aria-label="Earlier match" title="Earlier match (Enter)" onClick={() => session.search(text, 'previous', matchCase)}><Icon of={ArrowUp} size={15} /></button>
      <button class="ghost small" aria-label="Later match" title="Later match (Shift+Enter)" onClick={() => session.search(text, 'next', matchCase)}><Icon of={ArrowDown} size={15} /></button>
      <button class="ghost small" aria-label="Close find" title="Close (Escape)" onClick={() => session.endFind()}><Icon of={X} size={15} /></button>
    </div>
  );
}
