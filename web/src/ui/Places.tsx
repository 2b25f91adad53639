/** A page of several parts beside the workspace: the way back, a title, the parts, and the one that is shown. */

import { ArrowLeft } from 'lucide';
import type { ComponentChild } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { go, type Route } from '../state/route';
import { Icon } from './Icon';

export interface Place {
  /** In the path: `/settings/logins`. The first place has none. */
  section: string;
  name: string;
  show: () => ComponentChild;
}

interface Props {
  title: string;
  route: Route;
  places: Place[];
  at: string;
  /** For tables. */
  wide?: boolean;
}

export function Places({ title, route, places, at, wide }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);
  const inner = useRef<HTMLDivElement>(null);
  const shown = places.find((place) => place.section === at) ?? places[0];
  useEffect(() => heading.current?.focus(), []);
  useEffect(() => {
    inner.current?.parentElement?.scrollTo(0, 0);
    inner.current?.querySelector('nav [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });
  }, [shown]);
  return (
    <main class="settings" aria-label={title} data-region="settings">
      <div ref={inner} class={`settings-inner ${wide ? 'wide' : ''}`}>
        <button class="ghost" onClick={() => go('workspace')}><Icon of={ArrowLeft} /> Terminals</button>
        <h1 ref={heading} tabIndex={-1}>{title}</h1>
        {places.length > 1 && (
          <nav class="places" aria-label={`Parts of ${title}`}>
            {places.map((place) => (
              <button key={place.section} class="ghost" aria-current={place === shown ? 'page' : undefined} onClick={() => go(route, place.section)}>
                {place.name}
              </button>
            ))}
          </nav>
        )}
        {shown?.show()}
      </div>
    </main>
  );
}
