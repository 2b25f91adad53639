/** A screen that is loaded when it is first shown, so that the first page stays small. */

import { signal } from '@preact/signals';
import type { FunctionComponent } from 'preact';
import { useEffect } from 'preact/hooks';

export function lazy<P extends object>(load: () => Promise<FunctionComponent<P>>): FunctionComponent<P> {
  const loaded = signal<FunctionComponent<P> | 'failed' | undefined>(undefined);
  const start = () => load().then(
    (screen) => (loaded.value = screen),
    () => (loaded.value = 'failed'),
  );
  return function Lazy(props: P) {
    useEffect(() => {
      if (typeof loaded.peek() !== 'function') void start();
    }, []);
    const Screen = loaded.value;
    if (Screen === 'failed') return <p class="lazy problem" role="alert">This part of the page could not be loaded. Reload the page.</p>;
    return Screen ? <Screen {...props} /> : <p class="lazy muted" role="status">Loading…</p>;
  };
}
