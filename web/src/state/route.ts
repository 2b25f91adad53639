/** Two places: the workspace and the settings. The History API is all the router they need. */

import { signal } from '@preact/signals';

export type Route = 'workspace' | 'settings';

export const route = signal<Route>(read());

addEventListener('popstate', () => {
  route.value = read();
});

export function go(to: Route): void {
  if (to === route.value) return;
  history.pushState(null, '', to === 'settings' ? '/settings' : '/');
  route.value = to;
}

function read(): Route {
  return location.pathname === '/settings' ? 'settings' : 'workspace';
}
