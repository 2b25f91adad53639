/** Where the page is. The History API is all the router it needs. */

import { computed, signal } from '@preact/signals';

/** First parts of paths; everything else is the workspace. */
const PLACES = [
  'settings', 'admin', 'organisations', 'workers',
  'setup', 'join', 'sign-up', 'reset', 'confirm', 'authorise', 'device', 'what-the-hub-sees',
] as const;

export type Route = 'workspace' | (typeof PLACES)[number];

interface Place {
  route: Route;
  /** What follows: `/settings/logins`. */
  section: string;
}

/** Behind `#` these carry a secret, or what a program asks: nothing for the address bar and the history. */
const CARRIERS: readonly Route[] = ['join', 'reset', 'confirm', 'authorise'];
const CARRIED = 'leapmux.carried';

const held = signal<[Route, string]>(stored());
const place = signal<Place>(read());
export const route = computed<Route>(() => place.value.route);
export const section = computed<string>(() => place.value.section);

addEventListener('popstate', () => {
  leave();
  const before = held.peek();
  place.value = read();
  // A link of a mail, put into the address bar of the very page that it leads to: what that page has
  // begun with is over.
  if (held.peek() !== before) location.reload();
});

export function go(to: Route, part = ''): void {
  if (to === place.value.route && part === place.value.section) return;
  const path = to === 'workspace' ? '/' : `/${to}${part === '' ? '' : `/${part}`}`;
  leave();
  history.pushState(null, '', path);
  place.value = { route: to, section: part };
}

/** What came behind `#`. It outlives a reload and the way to a provider and back, in this tab only. */
export function carried(of: Route): string {
  const [route, text] = held.value;
  return route === of ? text : '';
}

/** It has done its work. */
export function dropCarried(): void {
  hold(['workspace', '']);
}

/** Whoever goes away from the link of a mail comes back to ask for another one. */
function leave(): void {
  if (place.peek().route === 'reset' && held.peek()[0] === 'reset') dropCarried();
}

function read(): Place {
  const [, first = '', second = ''] = location.pathname.split('/');
  const route = PLACES.find((one) => one === first) ?? 'workspace';
  if (CARRIERS.includes(route) && location.hash.length > 1) {
    hold([route, location.hash.slice(1, 4_096)]);
    history.replaceState(null, '', location.pathname);
  }
  return { route, section: /^[a-z0-9-]{1,40}$/.test(second) ? second : '' };
}

function hold(what: [Route, string]): void {
  held.value = what;
  try {
    if (what[1] === '') sessionStorage.removeItem(CARRIED);
    else sessionStorage.setItem(CARRIED, JSON.stringify(what));
  } catch {
    // Without storage it is lost with the page.
  }
}

function stored(): [Route, string] {
  try {
    const [route, text] = JSON.parse(sessionStorage.getItem(CARRIED) ?? '[]') as unknown[];
    const known = CARRIERS.find((one) => one === route);
    if (known && typeof text === 'string') return [known, text];
  } catch {
    // As if nothing had been kept.
  }
  return ['workspace', ''];
}
