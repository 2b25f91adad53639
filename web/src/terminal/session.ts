/** A terminal on the page: the view, the attachment and what a person is asked about them. */

import { effect, signal } from '@preact/signals';
import type { TerminalSummary } from '../gen/leapmux/v1/services_pb';
import { Growing } from '../hub/retry';
import { channels, isReady, onReady } from '../state/channels';
import { narrow, tabParts, type TabId } from '../state/layout';
import { dark, prefs } from '../state/prefs';
import { clearBell, remember, ringBell, titleOf } from '../state/terminals';
import { toast } from '../state/toasts';
import { here } from '../state/workspaces';
import { Attachment, type Screen, type Size } from './attachment';
import { pasteable, readClipboard } from './clipboard';
import { copyText } from './copying';
import { held, pressed, type Modifier, type NamedKey } from './keys';
import { followHidden, followShown, targetOf } from './links';
import type { TerminalHandle } from './registry';
import { ViewOnly } from './view-only';
import type { TerminalView, ViewEvents } from './view';

const RESIZE_SETTLES_MS = 80;
const SELECTION_SETTLES_MS = 180;
/** How long another client's size is taken for an echo of an older one of ours. */
const SIZE_ECHO_MS = 1_000;
const MAX_PROGRAM_COPY = 100_000;
/** Well within a stream's credit, so that a paste never ends it. */
const MAX_PASTE = 256 * 1024;

export type Phase = 'loading' | 'attaching' | 'live' | 'held' | 'refused';

export class TerminalSession implements TerminalHandle, Screen {
  readonly phase = signal<Phase>('loading');
  /** False until something has been on the screen. */
  readonly drawn = signal(false);
  readonly finding = signal(false);
  readonly found = signal<{ index: number; count: number }>({ index: -1, count: 0 });
  readonly pasting = signal<string | undefined>(undefined);
  readonly modifier = signal<Modifier | null>(null);
  /** Set when another client gave the terminal a size that is not ours. */
  readonly foreignSize = signal<Size | undefined>(undefined);

  private view: TerminalView | undefined;
  private readonly attachment: Attachment;
  private readonly undo: (() => void)[] = [];
  private readonly again = new Growing();
  private typed = false;
  private wanted: (Size & { at: number }) | undefined;
  private resizeTimer: ReturnType<typeof setTimeout> | undefined;
  private selectTimer: ReturnType<typeof setTimeout> | undefined;
  private over = false;
  private readonly viewOnly: ViewOnly;

  constructor(private readonly tab: TabId, private readonly host: HTMLElement,
    private readonly onEnter: () => boolean) {
    this.viewOnly = new ViewOnly(tab);
    const { workerId, terminalId } = tabParts(tab);
    this.attachment = new Attachment(terminalId, {
      stream: (method, payload, callbacks) => channels().stream(workerId, method, payload, callbacks, here.peek()),
      later: (run) => void setTimeout(run, this.again.next(performance.now(), Math.random())),
      usable: () => isReady(workerId),
    }, this);
    this.undo.push(onReady((ready) => {
      if (ready === workerId && this.view) this.attach();
    }));
  }

  /** Loads xterm.js, draws and attaches. */
  async start(): Promise<void> {
    const { TerminalView } = await import('./view');
    if (this.over) return;
    this.view = new TerminalView(this.host, this.looks(), this.events());
    this.undo.push(effect(() => {
      this.view?.look(this.looks());
      this.refit();
    }));
    this.undo.push(effect(() => this.view?.label(`Terminal: ${titleOf(this.tab)}`)));
    const observer = new ResizeObserver(() => this.refit());
    observer.observe(this.host);
    this.undo.push(() => observer.disconnect());
    this.attach();
  }

  dispose(): void {
    this.over = true;
    clearTimeout(this.resizeTimer);
    clearTimeout(this.selectTimer);
    this.undo.forEach((run) => run());
    this.attachment.dispose();
    this.view?.dispose();
  }

  // What the attachment tells.

  async snapshot(size: Size, data: Uint8Array): Promise<void> {
    this.drawn.value = true;
    await this.view?.snapshot(size, data);
    this.follow(size);
  }

  async output(data: Uint8Array): Promise<void> {
    this.drawn.value = true;
    await this.view?.output(data);
  }

  summary(summary: TerminalSummary): void {
    remember(tabParts(this.tab).workerId, summary);
    this.follow({ columns: summary.columns, rows: summary.rows });
  }

  changed(phase: Exclude<Phase, 'loading'>): void {
    if (this.phase.peek() !== phase) this.phase.value = phase;
  }

  dropped(): void {
    toast('Too much was typed without a connection. The rest was not kept: check the line before you go on.', 'danger');
  }

  muted(): void {
    this.viewOnly.refuse();
  }

  // What a person asks.

  focus(): void {
    clearBell(this.tab);
    this.view?.focus();
    this.takeSize();
  }

  hasSelection(): boolean {
    return (this.view?.selection() ?? '') !== '';
  }

  copy(): void {
    const text = this.view?.selection() ?? '';
    if (text !== '') void copyText(text, 'Copied');
  }

  paste(): void {
    void readClipboard().then((text) => {
      if (text === undefined) toast('The browser does not allow reading the clipboard here. Use its own paste key.');
      else this.offerPaste(text);
    });
  }

  /** Pastes, after asking where several lines could run at once. */
  offerPaste(text: string): void {
    const clean = pasteable(text);
    if (clean.length > MAX_PASTE) {
      toast('This is more than can be pasted at once (256 KiB).', 'danger');
      return;
    }
    const calm = this.view?.brackets === true && this.view.fullScreen;
    const several = clean.includes('\n');
    if (several && !calm && prefs.value.pasteWarning) this.pasting.value = clean;
    else this.insert(clean);
  }

  answerPaste(accept: boolean): void {
    const text = this.pasting.peek();
    this.pasting.value = undefined;
    if (accept && text !== undefined) this.insert(text);
    this.view?.focus();
  }

  find(): void {
    this.finding.value = true;
  }

  search(text: string, direction: 'next' | 'previous', matchCase: boolean): void {
    this.view?.find(text, direction, matchCase);
  }

  endFind(): void {
    this.finding.value = false;
    this.view?.endFind();
    this.view?.focus();
  }

  selectAll(): void {
    this.view?.selectAll();
  }

  clear(): void {
    this.view?.clear();
  }

  type(text: string): void {
    this.view?.input(text);
  }

  press(key: NamedKey): void {
    this.type(pressed(key, this.view?.cursorKeyPrefix ?? '\x1b['));
    this.view?.focus();
  }

  hold(modifier: Modifier | null): void {
    this.modifier.value = this.modifier.peek() === modifier ? null : modifier;
    this.view?.focus();
  }

  cursorIsHigh(): boolean {
    return this.view?.cursorIsHigh ?? false;
  }

  busy(): boolean {
    return this.typed || this.view?.fullScreen === true || !this.drawn.peek();
  }

  /** Makes the terminal as large as its tile, for every client of it. */
  takeSize(): void {
    const size = this.view?.fitting();
    if (!size || !this.view || this.viewOnly.holds) return;
    const now = this.view.size;
    this.foreignSize.value = undefined;
    if (size.columns === now.columns && size.rows === now.rows) return;
    this.wanted = { ...size, at: performance.now() };
    this.view.resize(size);
    this.attachment.resize(size);
  }

  private attach(): void {
    const size = (!this.viewOnly.holds && this.view?.fitting()) || { columns: 0, rows: 0 };
    if (size.columns > 0) {
      this.view?.resize(size);
      this.wanted = { ...size, at: performance.now() };
    }
    this.attachment.connect(size);
  }

  /** Takes over a size that another client chose. */
  private follow(size: Size): void {
    const fresh = this.wanted && performance.now() - this.wanted.at < SIZE_ECHO_MS;
    const same = this.wanted?.columns === size.columns && this.wanted.rows === size.rows;
    if (size.columns < 2 || size.rows < 1 || (fresh && !same)) return;
    this.view?.resize(size);
    const ours = this.view?.fitting();
    const foreign = !this.viewOnly.holds && ours && (ours.columns !== size.columns || ours.rows !== size.rows);
    this.foreignSize.value = foreign ? size : undefined;
  }

  private refit(): void {
    clearTimeout(this.resizeTimer);
    this.resizeTimer = setTimeout(() => {
      if (document.hasFocus()) this.takeSize();
    }, RESIZE_SETTLES_MS);
  }

  private insert(text: string): void {
    this.typed = true;
    this.view?.paste(text);
  }

  private looks() {
    const { fontSize, screenReader, raiseContrast } = prefs.value;
    return { dark: dark.value, fontSize: narrow.value ? Math.max(fontSize - 1, 11) : fontSize, screenReader, raiseContrast };
  }

  private events(): ViewEvents {
    return {
      onInput: (data) => this.input(data),
      onBell: () => ringBell(this.tab),
      onSelected: (text) => this.selected(text),
      onProgramCopy: (text) => this.programCopy(text),
      onLink: followShown,
      onHiddenLink: followHidden,
      onLinkHover: (uri) => {
        this.host.title = (uri && targetOf(uri)?.href) ?? '';
      },
      onFound: (index, count) => {
        this.found.value = { index, count };
      },
    };
  }

  private input(data: Uint8Array): void {
    if (this.viewOnly.holds) return this.viewOnly.refuse();
    if (data.length === 1 && data[0] === 13 && this.onEnter()) return;
    this.typed = true;
    if (this.foreignSize.peek()) this.takeSize();
    const modifier = this.modifier.peek();
    if (modifier) this.modifier.value = null;
    this.attachment.type(modifier ? held(modifier, data) : data);
  }

  private selected(text: string): void {
    clearTimeout(this.selectTimer);
    if (text === '' || !prefs.peek().copyOnSelect || this.finding.peek()) return;
    this.selectTimer = setTimeout(() => void copyText(text, 'Copied'), SELECTION_SETTLES_MS);
  }

  private programCopy(text: string): void {
    if (!document.hasFocus() || !this.host.contains(document.activeElement)) return;
    if (text.length > 0 && text.length <= MAX_PROGRAM_COPY) void copyText(text, 'The program copied');
  }
}
