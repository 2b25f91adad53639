/** Something that the Hub is asked when a screen opens, and again after a change. */

import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { sentence } from '../hub/refusals';

export interface Asked<T> {
  value: T | undefined;
  problem: string | undefined;
  again: () => Promise<void>;
  set: (value: T) => void;
}

/** Asks anew when one of `about` changes; an answer to an older question is dropped. */
export function useAsked<T>(ask: () => Promise<T>, about: readonly unknown[] = []): Asked<T> {
  const [value, set] = useState<T>();
  const [problem, setProblem] = useState<string>();
  const question = useRef(0);
  const latest = useRef(ask);
  latest.current = ask;
  const again = useCallback(async () => {
    const mine = ++question.current;
    try {
      const answer = await latest.current();
      if (mine !== question.current) return;
      set(answer);
      setProblem(undefined);
    } catch (error) {
      if (mine === question.current) setProblem(sentence(error));
    }
  }, []);
  useEffect(() => {
    void again();
    return () => void question.current++;
  }, about);
  return { value, problem, again, set };
}
