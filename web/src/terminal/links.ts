/**
 * Links that programs draw. Their text is the program's choice, so where one leads is said before
 * anybody follows, and what is said is what is opened.
 */

import { show } from '../state/overlays';
import { toast } from '../state/toasts';
import { displayText } from '../ui/text';

const ALLOWED = new Set(['http:', 'https:', 'mailto:']);
const LONGEST = 2_048;
const SHOWN_CHARACTERS = 120;

export interface Target {
  /** As a browser reads it: international names in their ASCII form, everything odd escaped. */
  href: string;
  /** Empty where the scheme has none. */
  host: string;
}

/** Undefined for what is never opened. */
export function targetOf(uri: string): Target | undefined {
  if (uri.length > LONGEST || !URL.canParse(uri)) return undefined;
  const { protocol, href, host } = new URL(uri);
  return ALLOWED.has(protocol) ? { href, host } : undefined;
}

/** A link whose text is its address. */
export function followShown(event: MouseEvent, uri: string): void {
  const target = targetOf(uri);
  if (!target) return;
  if (isOnPurpose(event)) open(target);
  else if (isTouch()) ask(target);
  else hint(target);
}

/** A link under any text (OSC 8). */
export function followHidden(event: MouseEvent, uri: string): void {
  const target = targetOf(uri);
  if (!target) return;
  if (isOnPurpose(event) || isTouch()) ask(target);
  else hint(target);
}

/** Without telling the target where it came from. */
export function open({ href }: Target): void {
  window.open(href, '_blank', 'noopener,noreferrer');
}

function ask(target: Target): void {
  show({ kind: 'link', target });
}

function hint({ href }: Target): void {
  toast(`Hold Ctrl or Cmd to open ${displayText(href, SHOWN_CHARACTERS)}`);
}

function isOnPurpose({ ctrlKey, metaKey }: MouseEvent): boolean {
  return ctrlKey || metaKey;
}

function isTouch(): boolean {
  return matchMedia('(pointer: coarse)').matches;
}
