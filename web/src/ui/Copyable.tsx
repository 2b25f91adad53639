/** A text to take along: read-only, selected as a whole, with a button that copies it. */

import { Check, Copy } from 'lucide';
import { useId, useRef, useState } from 'preact/hooks';
import { Icon } from './Icon';

export function Copyable({ label, text, first }: { label: string; text: string; first?: boolean }) {
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  const [done, setDone] = useState<'copied' | 'select'>();
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone('copied');
    } catch {
      // Not on plain http: the person presses the keys.
      field.current?.focus();
      field.current?.select();
      setDone('select');
    }
  };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="field-row">
        <input ref={field} id={id} class="mono" readOnly value={text} spellcheck={false} translate={false} data-first={first}
          onFocus={(event) => event.currentTarget.select()} />
        <button type="button" onClick={() => void copy()}>
          <Icon of={done === 'copied' ? Check : Copy} /> {done === 'copied' ? 'Copied' : 'Copy'}<span class="off-screen"> {label}</span>
        </button>
      </div>
      <p class="hint" role="status">{done === 'select' ? 'Selected. Copy it with the keyboard.' : ''}</p>
    </div>
  );
}
