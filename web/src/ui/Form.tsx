/** A form that sends one order to the Hub and says what became of it. */

import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import { lasting, type Words } from '../hub/refusals';
import { useSubmit } from './useSubmit';

interface Props {
  /** The button: `Save`, and while the Hub is asked: `Saving…`. */
  verb: string;
  doing: string;
  onSubmit: () => Promise<void>;
  /** What is wrong with the fields, before the Hub is asked. */
  check?: () => string | undefined;
  words?: Words;
  /** Without it the button is in the foot of a dialog. */
  onCancel?: () => void;
  danger?: boolean;
  disabled?: boolean;
  wide?: boolean;
  children: ComponentChildren;
}

export function Form({ verb, doing, onSubmit, check, words, onCancel, danger, disabled, wide, children }: Props) {
  const form = useRef<HTMLFormElement>(null);
  const { busy, problem, wait, run, say } = useSubmit(words);
  const off = busy || wait > 0 || disabled === true;

  const submit = async (event: Event) => {
    event.preventDefault();
    if (off) return;
    const wrong = check?.();
    if (wrong !== undefined) return (say(wrong), again());
    if (!(await run(onSubmit))) again();
  };
  /** Whoever has to type again finds the cursor there. */
  const again = () => {
    const field = form.current?.querySelector<HTMLInputElement>('[data-again]') ?? form.current?.querySelector('input');
    field?.focus();
    field?.select();
  };
  const label = wait > 0 ? `Try again in ${lasting(wait)}` : busy ? doing : verb;
  const button = (
    <button type="submit" class={danger ? 'danger' : 'primary'} aria-disabled={off}>{label}</button>
  );
  return (
    <form ref={form} class={`form ${wide ? 'wide' : ''}`} noValidate onSubmit={submit}>
      {children}
      {/* There before it has anything to say, or it would not be heard. */}
      <p class="problem" role="alert">{problem}</p>
      {onCancel ? (
        <div class="actions">
          <button type="button" onClick={onCancel}>Cancel</button>
          {button}
        </div>
      ) : button}
    </form>
  );
}
