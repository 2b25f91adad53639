/** A table that scrolls in itself where the window is narrow, also by keyboard. */

import type { ComponentChildren } from 'preact';

export function Table({ name, heads, children }: { name: string; heads: string[]; children: ComponentChildren }) {
  return (
    <div class="table-box" role="group" aria-label={name} tabIndex={0}>
      <table>
        <thead><tr>{heads.map((head) => <th key={head} scope="col">{head === '' ? <span class="off-screen">Actions</span> : head}</th>)}</tr></thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** An id: whole for whoever copies it, short for whoever looks. */
export function Id({ id, onPick, what }: { id: string; onPick?: (id: string) => void; what?: string }) {
  if (id === '') return <span class="muted">none</span>;
  const short = id.length > 14 ? `${id.slice(0, 13)}…` : id;
  if (!onPick) return <code title={id}>{short}</code>;
  return (
    <button class="link" title={`${id}: show only ${what ?? 'this'}`} onClick={() => onPick(id)}>
      <code>{short}</code>
    </button>
  );
}
