/** The pages beside the workspace, each loaded when it is first opened. */

import type { FunctionComponent } from 'preact';
import type { Route } from '../state/route';
import { lazy } from '../ui/Lazy';

export const PAGES: Partial<Record<Route, FunctionComponent>> = {
  settings: lazy(() => import('./Settings').then((found) => found.Settings)),
  organisations: lazy(() => import('../organisations/OrganisationsPage').then((found) => found.OrganisationsPage)),
  workers: lazy(() => import('../workers/WorkersPage').then((found) => found.WorkersPage)),
  admin: lazy(() => import('../administration/Administration').then((found) => found.Administration)),
};
