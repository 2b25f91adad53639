/** A list that comes page by page. */

import { useEffect, useState } from 'preact/hooks';
import { sentence } from '../hub/refusals';
import { useAsked, type Asked } from './useAsked';

export interface Page<T> {
  items: T[];
  /** Where the next page begins; empty = that was all. */
  next: string;
}

export interface List<T> extends Asked<Page<T>> {
  items: T[];
  more: (() => Promise<void>) | undefined;
}

export function useList<T>(read: (after: string) => Promise<Page<T>>, about: readonly unknown[] = []): List<T> {
  const asked = useAsked(() => read(''), about);
  const [late, setLate] = useState<string>();
  useEffect(() => setLate(undefined), about);
  const { value } = asked;
  const more = async () => {
    if (!value) return;
    try {
      const page = await read(value.next);
      asked.set({ items: [...value.items, ...page.items], next: page.next });
      setLate(undefined);
    } catch (error) {
      setLate(sentence(error));
    }
  };
  return { ...asked, problem: asked.problem ?? late, items: value?.items ?? [], more: value && value.next !== '' ? more : undefined };
}
