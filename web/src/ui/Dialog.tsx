/** The native dialog: focus trap, Escape and the return of focus come with it. */

import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

interface Props {
  title: string;
  /** Escape, the backdrop and the browser's back gesture. */
  onClose: () => void;
  tone?: 'plain' | 'danger';
  kind?: 'usual' | 'palette' | 'middle' | 'wide';
  role?: 'dialog' | 'alertdialog';
  hideTitle?: boolean;
  describedBy?: string;
  children: ComponentChildren;
}

export function Dialog({ title, onClose, tone = 'plain', kind = 'usual', role, hideTitle, describedBy, children }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const dialog = ref.current;
    if (!dialog) return undefined;
    dialog.showModal();
    dialog.querySelector<HTMLElement>('[data-first]')?.focus();
    return () => dialog.close();
  }, []);
  return (
    <dialog ref={ref} class={`dialog ${kind} ${tone}`} role={role} aria-label={title} aria-describedby={describedBy}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClose={() => {
        // A browser lets nobody hold a dialog open against a second Escape; whoever has to stay comes back.
        if (!ref.current) return;
        onClose();
        setTimeout(() => ref.current?.open === false && ref.current.showModal());
      }}
      onMouseDown={(event) => {
        if (event.target === ref.current) onClose();
      }}>
      <div class="dialog-body">
        {!hideTitle && <h2>{title}</h2>}
        {children}
      </div>
    </dialog>
  );
}
