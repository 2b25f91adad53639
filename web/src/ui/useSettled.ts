/** A click that was on its way to what stood here before must not decide what stands here now. */

import { useEffect, useState } from 'preact/hooks';

const SETTLES_MS = 1_000;

/** False at first. */
export function useSettled(): boolean {
  const [settled, setSettled] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(true), SETTLES_MS);
    return () => clearTimeout(timer);
  }, []);
  return settled;
}
