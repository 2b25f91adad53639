/** A button that opens a list of things to do with one record. The popover closes by Escape and by a click beside it. */

import { Ellipsis } from 'lucide';
import { useId, useRef, useState } from 'preact/hooks';
import { Icon } from './Icon';

export interface Item {
  name: string;
  danger?: boolean;
  run: () => void;
}

export function Menu({ of, items }: { of: string; items: Item[] }) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState(false);

  /** Below the button, or above where there is no room. */
  const place = () => {
    if (!button.current || !list.current) return;
    const at = button.current.getBoundingClientRect();
    const { offsetHeight, offsetWidth, style } = list.current;
    const below = at.bottom + 4 + offsetHeight < innerHeight;
    style.top = `${Math.max(8, below ? at.bottom + 4 : at.top - 4 - offsetHeight)}px`;
    style.left = `${Math.max(8, at.right - offsetWidth)}px`;
  };
  const onToggle = (event: { newState: string }) => {
    const opens = event.newState === 'open';
    setOpen(opens);
    if (!opens) return;
    place();
    list.current?.querySelector('button')?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const buttons = Array.from(list.current?.querySelectorAll('button') ?? []);
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === 'Tab') list.current?.hidePopover();
    if (next === undefined) return;
    event.preventDefault();
    buttons.at(next % buttons.length)?.focus();
  };
  return (
    <>
      <button ref={button} class="ghost small" popovertarget={id} aria-haspopup="menu" aria-expanded={open} aria-label={`What to do with ${of}`} title="More">
        <Icon of={Ellipsis} />
      </button>
      <div ref={list} id={id} class="menu" popover="auto" role="menu" aria-label={of} onToggle={onToggle} onKeyDown={onKeyDown}>
        {items.map((item) => (
          <button key={item.name} role="menuitem" tabIndex={-1} class={item.danger ? 'bad' : ''}
            onClick={() => {
              list.current?.hidePopover();
              item.run();
            }}>
            {item.name}
          </button>
        ))}
      </div>
    </>
  );
}
