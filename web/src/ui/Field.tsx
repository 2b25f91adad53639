/** Fields with their label above and their hint below. */

import { Eye, EyeOff } from 'lucide';
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { passwordHint } from '../state/names';
import { Icon } from './Icon';

interface Common {
  label: string;
  value: string;
  onInput: (value: string) => void;
  hint?: ComponentChildren;
  /** The one to type again after a refusal. */
  again?: boolean;
  autofocus?: boolean;
}

interface Props extends Common {
  type?: 'text' | 'email' | 'search';
  autocomplete?: string;
  placeholder?: string;
  maxLength?: number;
  /** Names and codes, not words of a language. */
  plain?: boolean;
}

export function Field({ label, value, onInput, hint, again, autofocus, type = 'text', autocomplete = 'off', placeholder, maxLength, plain }: Props) {
  const id = useId();
  const input = useFirst(autofocus);
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input ref={input} id={id} type={type as 'text'} value={value} autocomplete={autocomplete} placeholder={placeholder} maxLength={maxLength}
        spellcheck={plain ? false : undefined} autocapitalize={plain ? 'none' : undefined} data-first={autofocus} data-again={again}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`} onInput={(event) => onInput(event.currentTarget.value)} />
      {hint !== undefined && <p class="hint" id={`${id}-hint`}>{hint}</p>}
    </div>
  );
}

interface PasswordProps extends Common {
  /** One that is made here: it has to fit, and a manager may propose it. */
  fresh?: boolean;
}

export function PasswordField({ label, value, onInput, hint, again, autofocus, fresh }: PasswordProps) {
  const id = useId();
  const input = useFirst(autofocus);
  const [shown, setShown] = useState(false);
  const below = hint ?? (fresh ? passwordHint(value) : undefined);
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="field-row secret">
        <input ref={input} id={id} type={(shown ? 'text' : 'password') as 'text'} value={value} autocomplete={fresh ? 'new-password' : 'current-password'}
          spellcheck={false} autocapitalize="none" data-first={autofocus} data-again={again}
          aria-describedby={below === undefined ? undefined : `${id}-hint`} onInput={(event) => onInput(event.currentTarget.value)} />
        <button type="button" class="ghost" aria-label={`${shown ? 'Hide' : 'Show'} ${lower(label)}`} aria-pressed={shown} onClick={() => setShown(!shown)}>
          <Icon of={shown ? EyeOff : Eye} />
        </button>
      </div>
      {below !== undefined && <p class="hint" id={`${id}-hint`}>{below}</p>}
    </div>
  );
}

/** Browsers heed `autofocus` only once in the life of a page. */
function useFirst(first: boolean | undefined) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (first) input.current?.focus();
  }, []);
  return input;
}

function lower(label: string): string {
  return label.charAt(0).toLowerCase() + label.slice(1);
}
