/** One order to the Hub at a time, and what a person is told when it is refused. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { sentence, type Words } from '../hub/refusals';
import { RpcFailure } from '../hub/rpc';

export interface Submit {
  busy: boolean;
  problem: string | undefined;
  /** Seconds until the Hub takes another attempt; 0 = now. */
  wait: number;
  run: (act: () => Promise<void>) => Promise<boolean>;
  say: (problem: string | undefined) => void;
}

export function useSubmit(words: Words = {}): Submit {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  const [until, setUntil] = useState(0);
  const wait = useSeconds(until);
  const alive = useRef(true);
  useEffect(() => () => void (alive.current = false), []);

  const run = async (act: () => Promise<void>): Promise<boolean> => {
    if (busy || wait > 0) return false;
    setBusy(true);
    setProblem(undefined);
    try {
      await act();
      return true;
    } catch (error) {
      if (!alive.current) return false;
      const seconds = error instanceof RpcFailure ? error.retryAfter : undefined;
      setProblem(sentence(error, words));
      setUntil(seconds === undefined ? 0 : Date.now() + seconds * 1_000);
      return false;
    } finally {
      if (alive.current) setBusy(false);
    }
  };
  return { busy, problem, wait, run, say: setProblem };
}

/** Whole seconds until an instant, counted down while it lies ahead. */
export function useSeconds(until: number): number {
  const left = () => Math.max(0, Math.ceil((until - Date.now()) / 1_000));
  const [seconds, setSeconds] = useState(left);
  useEffect(() => {
    setSeconds(left());
    if (left() === 0) return undefined;
    const timer = setInterval(() => {
      setSeconds(left());
      if (left() === 0) clearInterval(timer);
    }, 500);
    return () => clearInterval(timer);
  }, [until]);
  return seconds;
}
