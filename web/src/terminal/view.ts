/** xterm.js and its addons behind a small face. The only file that knows them; a chunk of its own. */

import { ClipboardAddon } from '@xterm/addon-clipboard';
import { FitAddon } from '@xterm/addon-fit';
import { SearchAddon } from '@xterm/addon-search';
import { Unicode11Addon } from '@xterm/addon-unicode11';
import { WebLinksAddon } from '@xterm/addon-web-links';
import { Terminal } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import { colours, findColours } from './colours';
import type { Size } from './attachment';

export interface ViewEvents {
  onInput(data: Uint8Array): void;
  onBell(): void;
  onSelected(text: string): void;
  /** A program asks to write the clipboard (OSC 52). */
  onProgramCopy(text: string): void;
  /** A link whose text is its address. */
  onLink(event: MouseEvent, uri: string): void;
  /** A link under a text of the program's choice (OSC 8). */
  onHiddenLink(event: MouseEvent, uri: string): void;
  /** What such a link under the pointer leads to; undefined once the pointer has left it. */
  onLinkHover(uri: string | undefined): void;
  onFound(index: number, count: number): void;
}

export interface ViewOptions {
  dark: boolean;
  fontSize: number;
  screenReader: boolean;
  raiseContrast: boolean;
}

const SCROLLBACK_LINES = 5_000;
/** WCAG 2.2, 1.4.3. */
const READABLE = 4.5;
const FONT = 'ui-monospace, "SF Mono", "Cascadia Mono", "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';

export class TerminalView {
  private readonly terminal: Terminal;
  private readonly fitter = new FitAddon();
  private readonly search = new SearchAddon();
  private isDark: boolean;

  constructor(host: HTMLElement, options: ViewOptions, private readonly events: ViewEvents) {
    this.isDark = options.dark;
    this.terminal = new Terminal({
      allowProposedApi: true,
      cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
      fontFamily: FONT,
      fontSize: options.fontSize,
      lineHeight: 1.15,
      scrollback: SCROLLBACK_LINES,
      screenReaderMode: options.screenReader,
      minimumContrastRatio: options.raiseContrast ? READABLE : 1,
      theme: colours(options.dark),
      macOptionIsMeta: true,
      rightClickSelectsWord: false,
      linkHandler: {
        activate: (event, uri) => events.onHiddenLink(event, uri),
        hover: (_event, uri) => events.onLinkHover(uri),
        leave: () => events.onLinkHover(undefined),
      },
    });
    this.load();
    this.terminal.open(host);
    this.listen();
  }

  private load(): void {
    const { terminal, events } = this;
    terminal.loadAddon(this.fitter);
    terminal.loadAddon(this.search);
    terminal.loadAddon(new Unicode11Addon());
    terminal.unicode.activeVersion = '11';
    terminal.loadAddon(new WebLinksAddon((event, uri) => events.onLink(event, uri)));
    // Programs may offer text for the clipboard, and never read it.
    const provider = {
      readText: () => '',
      writeText: (_selection: string, text: string) => events.onProgramCopy(text),
    };
    terminal.loadAddon(new ClipboardAddon(undefined, provider));
  }

  private listen(): void {
    const { terminal, events } = this;
    const encoder = new TextEncoder();
    terminal.onData((text) => events.onInput(encoder.encode(text)));
    terminal.onBinary((text) => events.onInput(Uint8Array.from(text, (c) => c.charCodeAt(0) & 255)));
    terminal.onBell(() => events.onBell());
    terminal.onSelectionChange(() => events.onSelected(terminal.getSelection()));
    this.search.onDidChangeResults(({ resultIndex, resultCount }) =>
      events.onFound(resultIndex, resultCount),
    );
  }

  get size(): Size {
    return { columns: this.terminal.cols, rows: this.terminal.rows };
  }

  /** What would fill the host; undefined while it is not laid out. */
  fitting(): Size | undefined {
    const proposed = this.fitter.proposeDimensions();
    if (!proposed || !(proposed.cols > 1) || !(proposed.rows > 0)) return undefined;
    return { columns: Math.min(proposed.cols, 1000), rows: Math.min(proposed.rows, 500) };
  }

  resize({ columns, rows }: Size): void {
    if (columns !== this.terminal.cols || rows !== this.terminal.rows) {
      this.terminal.resize(columns, rows);
    }
  }

  /** Replaces everything that is shown. */
  async snapshot(size: Size, data: Uint8Array): Promise<void> {
    this.terminal.reset();
    if (size.columns > 1 && size.rows > 0) this.resize(size);
    await this.output(data);
  }

  output(data: Uint8Array): Promise<void> {
    return new Promise((resolve) => this.terminal.write(data, resolve));
  }

  look(options: ViewOptions): void {
    this.isDark = options.dark;
    this.terminal.options.theme = colours(options.dark);
    this.terminal.options.fontSize = options.fontSize;
    this.terminal.options.screenReaderMode = options.screenReader;
    this.terminal.options.minimumContrastRatio = options.raiseContrast ? READABLE : 1;
  }

  label(text: string): void {
    this.terminal.textarea?.setAttribute('aria-label', text);
  }

  focus(): void {
    this.terminal.focus();
  }

  selection(): string {
    return this.terminal.getSelection();
  }

  selectAll(): void {
    this.terminal.selectAll();
  }

  clear(): void {
    this.terminal.clear();
  }

  paste(text: string): void {
    this.terminal.paste(text);
  }

  /** As if typed, through the same path as the keyboard. */
  input(text: string): void {
    this.terminal.input(text);
  }

  get cursorKeyPrefix(): string {
    return this.terminal.modes.applicationCursorKeysMode ? '\x1bO' : '\x1b[';
  }

  get fullScreen(): boolean {
    return this.terminal.buffer.active.type === 'alternate';
  }

  get cursorIsHigh(): boolean {
    return this.terminal.buffer.active.cursorY < this.terminal.rows / 2;
  }

  get brackets(): boolean {
    return this.terminal.modes.bracketedPasteMode;
  }

  find(text: string, direction: 'next' | 'previous', matchCase: boolean): void {
    const decorations = findColours(this.isDark);
    const options = { caseSensitive: matchCase, decorations };
    if (text === '') return this.endFind();
    if (direction === 'next') this.search.findNext(text, options);
    else this.search.findPrevious(text, options);
  }

  endFind(): void {
    this.search.clearDecorations();
    this.terminal.clearSelection();
  }

  dispose(): void {
    this.terminal.dispose();
  }
}
