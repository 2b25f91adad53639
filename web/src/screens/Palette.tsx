/** Every command by name. A combobox with a listbox: the focus stays in the field. */

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { availableCommands, type Command } from '../state/commands';
import { dismiss } from '../state/overlays';
import { Dialog } from '../ui/Dialog';
import { Keys } from '../ui/Keys';
import { rank } from './ranking';

export function Palette() {
  const [query, setQuery] = useState('');
  const [at, setAt] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const all = useMemo(availableCommands, []);
  const found = useMemo(() => matching(all, query), [all, query]);
  const chosen = Math.min(at, found.length - 1);

  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' });
  }, [chosen, found]);

  const run = (command: Command | undefined) => {
    if (!command) return;
    dismiss();
    // After the dialog has given the focus back, so that the command can move it.
    setTimeout(command.run, 0);
  };
  const onKey = (event: KeyboardEvent) => {
    const step = STEPS[event.key];
    if (step !== undefined) {
      event.preventDefault();
      setAt((chosen + step + found.length) % Math.max(1, found.length));
    } else if (event.key === 'Enter' && !event.isComposing) {
      event.preventDefault();
      run(found[chosen]);
    }
  };

  return (
    <Dialog title="All commands" kind="palette" hideTitle onClose={dismiss}>
      <input data-first class="palette-field" role="combobox" aria-expanded="true" aria-controls="palette-list" aria-autocomplete="list"
        aria-label="Type a command" placeholder="Type a command" autocomplete="off" spellcheck={false}
        aria-activedescendant={found[chosen] ? `command-${chosen}` : undefined}
        value={query} onKeyDown={onKey} onInput={(event) => { setQuery(event.currentTarget.value); setAt(0); }} />
      <div ref={list} id="palette-list" class="palette-list" role="listbox" aria-label="Commands" tabIndex={-1}>
        {found.map((command, index) => (
          <div key={command.id} id={`command-${index}`} role="option" aria-selected={index === chosen} class="palette-item"
            onMouseMove={() => index !== chosen && setAt(index)} onClick={() => run(command)}>
            <span>{command.title}</span>
            {command.keys?.[0] && <Keys text={command.keys[0]} />}
          </div>
        ))}
      </div>
      {found.length === 0 && <p class="palette-none" role="status">No command is called that.</p>}
    </Dialog>
  );
}

const STEPS: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };

function matching(all: Command[], query: string): Command[] {
  return all
    .map((command, order) => ({ command, order, rank: rank(command.title, query) }))
    .filter((one) => one.rank !== undefined)
    .sort((a, b) => (a.rank ?? 0) - (b.rank ?? 0) || a.order - b.order)
    .map((one) => one.command);
}
