/** Everything that can be done, by name: for the palette, the keyboard and the help page. */

import { leaves } from '../layout/tree';
import { TerminalState } from '../gen/leapmux/v1/services_pb';
import { terminalFor, type TerminalHandle } from '../terminal/registry';
import { account, profile, signOut } from './account';
import { isReady } from './channels';
import { parseKeys, type Keys } from './hotkeys';
import * as layout from './layout';
import { drawer, show } from './overlays';
import { changeFontSize, prefs, setPref, type Theme } from './prefs';
import { go, route } from './route';
import { closeTerminal, openBeside, openTerminal, restartTerminal, summaryOf, titleOf } from './terminals';
import { workerName } from './workers';
import { choose, here, mayEdit, titleOfWorkspace, workersHere, myWorkspaces } from './workspaces';

export interface Command {
  id: string;
  title: string;
  group: 'Terminal' | 'Tabs and tiles' | 'View' | 'Go' | 'Account';
  /** As in `parseKeys`; several alternatives are allowed. */
  keys?: string[];
  /** False: neither listed nor run. */
  enabled?: () => boolean;
  /** Only from the palette, even when the keys match: the terminal itself needs them. */
  yields?: () => boolean;
  run: () => void;
}

/** The Worker that a new terminal would open on. */
export function currentWorker(): string | undefined {
  const tab = layout.currentTab.value;
  const shown = tab === null ? undefined : layout.tabParts(tab).workerId;
  if (shown !== undefined && isReady(shown)) return shown;
  return workersHere.value?.find((worker) => isReady(worker.workerId))?.workerId;
}

export function requestClose(tab: layout.TabId): void {
  const running = summaryOf(tab)?.state === TerminalState.RUNNING;
  if (running && terminalFor(tab)?.busy() !== false) show({ kind: 'close-terminal', tab });
  else void closeTerminal(tab);
}

const inWorkspace = () => route.value === 'workspace';
const hasTab = () => inWorkspace() && layout.currentTab.value !== null;
/** One that may be changed: in another's workspace a viewer only looks. */
const hasOwnTab = () => hasTab() && mayEdit.value;
const inOwnWindow = () => hasOwnTab() && layout.floatHere() !== undefined;
const canOpen = () => inWorkspace() && mayEdit.value && currentWorker() !== undefined;
const severalTiles = () => inWorkspace() && leaves(layout.drawn.value).length > 1;
const inTerminal = () => document.activeElement?.closest('.terminal-host') !== null && document.activeElement !== null;

function withTerminal(use: (terminal: TerminalHandle) => void): void {
  const terminal = terminalFor(layout.currentTab.value);
  if (terminal) use(terminal);
}

function withTab(use: (tab: layout.TabId) => void): void {
  const tab = layout.currentTab.value;
  if (tab !== null) use(tab);
}

function openHere(): void {
  const worker = currentWorker();
  if (worker !== undefined) void openTerminal(worker);
}

function splitHere(side: 'right' | 'down'): void {
  const worker = currentWorker();
  if (worker !== undefined) void openBeside(worker, layout.currentTile.value.id, side);
}

const TERMINAL: Command[] = [
  { id: 'terminal.new', title: 'New terminal', group: 'Terminal', keys: ['Mod+Shift+Enter'], enabled: canOpen, run: () => openHere() },
  { id: 'terminal.find', title: 'Find in terminal', group: 'Terminal', keys: ['Mod+Shift+F'], enabled: hasTab, run: () => withTerminal((t) => t.find()) },
  { id: 'terminal.copy', title: 'Copy selection', group: 'Terminal', keys: ['Mod+Shift+C'], enabled: hasTab, run: () => withTerminal((t) => t.copy()) },
  { id: 'terminal.paste', title: 'Paste', group: 'Terminal', enabled: hasTab, run: () => withTerminal((t) => t.paste()) },
  { id: 'terminal.select-all', title: 'Select everything in terminal', group: 'Terminal', enabled: hasTab, run: () => withTerminal((t) => t.selectAll()) },
  { id: 'terminal.clear', title: 'Clear terminal and scrollback on this page', group: 'Terminal', enabled: hasTab, run: () => withTerminal((t) => t.clear()) },
  { id: 'terminal.rename', title: 'Rename terminal…', group: 'Terminal', enabled: hasOwnTab, run: () => withTab((tab) => show({ kind: 'rename', tab })) },
  { id: 'terminal.restart', title: 'Replace by a new terminal', group: 'Terminal', enabled: () => hasOwnTab() && summaryOf(layout.currentTab.value ?? '')?.state !== TerminalState.RUNNING, run: () => withTab((tab) => void restartTerminal(tab)) },
  { id: 'terminal.close', title: 'Close terminal', group: 'Terminal', keys: ['Mod+Shift+X'], enabled: hasOwnTab, run: () => withTab(requestClose) },
];

const TILES: Command[] = [
  { id: 'tab.next', title: 'Next tab', group: 'Tabs and tiles', keys: ['Mod+Shift+ArrowRight'], enabled: hasTab, run: () => layout.stepTab(1) },
  { id: 'tab.previous', title: 'Previous tab', group: 'Tabs and tiles', keys: ['Mod+Shift+ArrowLeft'], enabled: hasTab, run: () => layout.stepTab(-1) },
  { id: 'tab.hide', title: 'Hide tab, keep its terminal running', group: 'Tabs and tiles', enabled: hasOwnTab, run: () => withTab(layout.dropTab) },
  { id: 'tab.shift-right', title: 'Move tab right in its list', group: 'Tabs and tiles', enabled: hasOwnTab, run: () => layout.shiftCurrentTab(1) },
  { id: 'tab.shift-left', title: 'Move tab left in its list', group: 'Tabs and tiles', enabled: hasOwnTab, run: () => layout.shiftCurrentTab(-1) },
  ...(['left', 'right', 'up', 'down'] as const).map((side): Command => ({
    id: `tab.move-${side}`, title: `Move tab to the tile ${wording(side)}`, group: 'Tabs and tiles', keys: [`Ctrl+Alt+Shift+${arrow(side)}`], enabled: hasOwnTab, run: () => layout.moveCurrentTab(side),
  })),
  { id: 'tile.split-right', title: 'Split right', group: 'Tabs and tiles', keys: ['Mod+Shift+E'], enabled: canOpen, run: () => splitHere('right') },
  { id: 'tile.split-down', title: 'Split down', group: 'Tabs and tiles', keys: ['Mod+Shift+O'], enabled: canOpen, run: () => splitHere('down') },
  ...(['left', 'right', 'up', 'down'] as const).map((side): Command => ({
    id: `tile.focus-${side}`, title: `Go to the tile ${wording(side)}`, group: 'Tabs and tiles', keys: [`Alt+Shift+${arrow(side)}`], enabled: severalTiles, run: () => layout.focusTile(side),
  })),
  { id: 'window.float', title: 'Float the tab as a window', group: 'Tabs and tiles', enabled: () => hasOwnTab() && !layout.narrow.value && layout.floatHere() === undefined, run: () => layout.floatCurrentTab() },
  { id: 'window.dock', title: 'Put the window back among the tiles', group: 'Tabs and tiles', enabled: inOwnWindow, run: () => layout.dockWindow() },
  ...([['left', -0.05, 0], ['right', 0.05, 0], ['up', 0, -0.05], ['down', 0, 0.05]] as const).map(([side, dx, dy]): Command => ({
    id: `window.${side}`, title: `Move the window ${side}`, group: 'Tabs and tiles', enabled: inOwnWindow, run: () => layout.changeWindow((at) => ({ ...at, x: at.x + dx, y: at.y + dy })),
  })),
  ...([['wider', 0.05, 0], ['narrower', -0.05, 0], ['taller', 0, 0.05], ['shorter', 0, -0.05]] as const).map(([how, dw, dh]): Command => ({
    id: `window.${how}`, title: `Make the window ${how}`, group: 'Tabs and tiles', enabled: inOwnWindow, run: () => layout.changeWindow((at) => ({ ...at, width: at.width + dw, height: at.height + dh })),
  })),
  { id: 'tile.grow', title: 'Make the tile larger', group: 'Tabs and tiles', keys: ['Ctrl+Alt+='], enabled: () => severalTiles() && mayEdit.value, run: () => layout.resizeCurrentTile(0.05) },
  { id: 'tile.shrink', title: 'Make the tile smaller', group: 'Tabs and tiles', keys: ['Ctrl+Alt+-'], enabled: () => severalTiles() && mayEdit.value, run: () => layout.resizeCurrentTile(-0.05) },
];

/** There the browser's own zoom has these keys. */
const beyondTerminal = () => !inTerminal();

const VIEW: Command[] = [
  { id: 'palette', title: 'All commands', group: 'View', keys: ['Mod+Shift+K'], run: () => show({ kind: 'palette' }) },
  { id: 'palette.short', title: 'All commands (outside terminals)', group: 'View', keys: ['Mod+K'], yields: () => inTerminal() && !prefs.value.paletteOverShell && !/Mac/.test(navigator.platform), run: () => show({ kind: 'palette' }) },
  { id: 'keys', title: 'Keyboard shortcuts', group: 'View', keys: ['Mod+Shift+H'], run: () => show({ kind: 'keys' }) },
  { id: 'font.larger', title: 'Larger text', group: 'View', keys: ['Mod+='], yields: beyondTerminal, run: () => changeFontSize(1) },
  { id: 'font.smaller', title: 'Smaller text', group: 'View', keys: ['Mod+-'], yields: beyondTerminal, run: () => changeFontSize(-1) },
  { id: 'font.reset', title: 'Usual text size', group: 'View', keys: ['Mod+0'], yields: beyondTerminal, run: () => changeFontSize('reset') },
  ...(['system', 'light', 'dark'] as Theme[]).map((theme): Command => ({
    id: `theme.${theme}`, title: `Theme: ${theme}`, group: 'View', enabled: () => prefs.value.theme !== theme, run: () => setPref('theme', theme),
  })),
  { id: 'rail', title: 'Show or hide the Workers', group: 'View', keys: ['Mod+Shift+B'], enabled: inWorkspace, run: () => (layout.narrow.value ? (drawer.value = !drawer.value) : setPref('rail', !prefs.value.rail)) },
  { id: 'regions.next', title: 'Go to the next part of the page', group: 'View', keys: ['Ctrl+F6'], run: () => stepRegion(1) },
  { id: 'regions.previous', title: 'Go to the previous part of the page', group: 'View', keys: ['Ctrl+Shift+F6'], run: () => stepRegion(-1) },
];

const isSolo = () => account.value.state !== 'signed-in' || account.value.solo;

const GO: Command[] = [
  { id: 'go.organisations', title: 'Organisations and members', group: 'Go', enabled: () => route.value !== 'organisations' && !isSolo(), run: () => go('organisations') },
  { id: 'workspace.new', title: 'New workspace…', group: 'Go', enabled: () => here.value !== '', run: () => show({ kind: 'new-workspace', workspaceId: here.value }) },
  { id: 'workspace.sharing', title: 'Sharing of this workspace…', group: 'Go', enabled: () => here.value !== '' && !isSolo(), run: () => show({ kind: 'sharing', workspaceId: here.value }) },
  { id: 'go.workers', title: 'Workers', group: 'Go', enabled: () => route.value !== 'workers', run: () => go('workers') },
  { id: 'go.settings', title: 'Settings, keys and devices', group: 'Go', enabled: inWorkspace, run: () => go('settings') },
  ...([['account', 'Account'], ['logins', 'Devices that are signed in'], ['tokens', 'API tokens']] as const).map(([part, title]): Command => ({
    id: `go.${part}`, title, group: 'Go', enabled: () => !isSolo(), run: () => go('settings', part),
  })),
  { id: 'go.admin', title: 'Administration of this Hub', group: 'Go', enabled: () => !isSolo() && profile.value?.admin === true, run: () => go('admin') },
  { id: 'go.sees', title: 'What this Hub can and cannot see', group: 'Go', run: () => go('settings', 'what-the-hub-sees') },
  { id: 'go.workspace', title: 'Back to the terminals', group: 'Go', enabled: () => !inWorkspace(), run: () => go('workspace') },
  { id: 'account.sign-out', title: 'Sign out', group: 'Account', enabled: () => account.value.state === 'signed-in' && !account.value.solo, run: () => void signOut() },
];

const FIXED = [...TERMINAL, ...TILES, ...VIEW, ...GO];
const BOUND: { command: Command; keys: Keys }[] = FIXED.flatMap((command) =>
  (command.keys ?? []).map((text) => ({ command, keys: parseKeys(text) })),
);

/** Everything that can be done now, with a command for each tab and each Worker. */
export function availableCommands(): Command[] {
  const tabs = leaves(layout.drawn.value)
    .flatMap((leaf) => leaf.tabs)
    .map((tab): Command => ({
      id: `show.${tab}`, title: `Show ${titleOf(tab)}`, group: 'Go', run: () => (go('workspace'), layout.showTab(tab)),
    }));
  const openers = (workersHere.value ?? [])
    .filter((worker) => mayEdit.value && isReady(worker.workerId) && (workersHere.value?.length ?? 0) > 1)
    .map((worker): Command => ({
      id: `open.${worker.workerId}`, title: `New terminal on ${workerName(worker.workerId)}`, group: 'Terminal', run: () => void openTerminal(worker.workerId),
    }));
  const places = myWorkspaces.value
    .filter((one) => one.archivedUnixMs === 0n && one.workspaceId !== here.value)
    .map((one): Command => ({
      id: `workspace.${one.workspaceId}`, title: `Workspace: ${titleOfWorkspace(one)}`, group: 'Go', run: () => (go('workspace'), choose(one.workspaceId)),
    }));
  const fixed = FIXED.filter((one) => one.id !== 'palette' && one.id !== 'palette.short');
  return [...fixed.filter((one) => one.enabled?.() ?? true), ...openers, ...places, ...tabs];
}

/** For the help page: every command that has keys. */
export const boundCommands = FIXED.filter((command) => command.keys);

export function commandFor(event: KeyboardEvent, match: (keys: Keys) => boolean): Command | undefined {
  if (event.isComposing) return undefined;
  return BOUND.find(
    ({ command, keys }) => match(keys) && (command.enabled?.() ?? true) && !command.yields?.(),
  )?.command;
}

function stepRegion(by: 1 | -1): void {
  const regions = Array.from(document.querySelectorAll<HTMLElement>('[data-region]')).filter(
    (region) => region.offsetParent !== null,
  );
  const at = regions.findIndex((region) => region.contains(document.activeElement));
  const next = regions[(at + by + regions.length) % regions.length];
  if (next?.dataset['region'] === 'tiles') withTerminal((terminal) => terminal.focus());
  else next?.querySelector<HTMLElement>('button, a, input, [tabindex="0"]')?.focus();
}

function arrow(side: string): string {
  return `Arrow${side.charAt(0).toUpperCase()}${side.slice(1)}`;
}

function wording(side: string): string {
  return side === 'up' ? 'above' : side === 'down' ? 'below' : `on the ${side}`;
}
