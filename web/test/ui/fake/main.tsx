// The page without a Hub and without a Worker, to look at its screens: `npx vite` and then
// /test/ui/fake/index.html?scene=…&at=/settings/logins; scenes are in scenes.ts. Never part of a build.
import { sceneFrom } from './scenes';

const given = new URL(location.href).searchParams;
const scene = sceneFrom(given.get('scene'));
// The page reads its place when it is loaded, so the address comes first.
history.replaceState(null, '', `${given.get('at') ?? '/'}${location.hash}`);
void import('./page').then(({ start }) => start(scene));
