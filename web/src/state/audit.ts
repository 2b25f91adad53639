/** The audit log of the Hub: pages of it, its proof, and all of it as a file. */

import {
  ListAuditRequestSchema,
  ListAuditResponseSchema,
  VerifyAuditRequestSchema,
  VerifyAuditResponseSchema,
  type AuditEntry,
  type VerifyAuditResponse,
} from '../gen/leapmux/v1/administration_pb';
import { rpc } from '../hub/rpc';

export interface Filter {
  action: string;
  actorId: string;
  objectId: string;
  organisationId: string;
}

export const EVERYTHING: Filter = { action: '', actorId: '', objectId: '', organisationId: '' };

/** More would not fit a page's memory; the command line exports without a bound. */
export const EXPORT_AT_MOST = 50_000;
const EXPORT_PAGE = 200;

/** Newest first; `before` = entries with a lower number, 0 = from the newest. */
export async function listAudit(filter: Filter, before = 0n, limit = 50): Promise<AuditEntry[]> {
  return (await rpc('AdministrationService/ListAudit', ListAuditRequestSchema, { ...filter, before, limit }, ListAuditResponseSchema)).entries;
}

export function verifyAudit(): Promise<VerifyAuditResponse> {
  return rpc('AdministrationService/VerifyAudit', VerifyAuditRequestSchema, {}, VerifyAuditResponseSchema);
}

/** Everything that fits the filter, page by page; `told` hears how many are here. */
export async function readAll(filter: Filter, told: (count: number) => void): Promise<AuditEntry[]> {
  const all: AuditEntry[] = [];
  for (let before = 0n; all.length < EXPORT_AT_MOST; ) {
    const page = await listAudit(filter, before, EXPORT_PAGE);
    all.push(...page);
    told(all.length);
    const last = page.at(-1);
    if (!last || page.length < EXPORT_PAGE || last.seq <= 1n) break;
    before = last.seq;
  }
  return all;
}

/** As `leapmux admin audit export` names the fields. */
export function exported(entries: AuditEntry[]): string {
  const plain = entries.map((one) => ({
    seq: Number(one.seq),
    at_ms: Number(one.atUnixMs),
    actor_kind: one.actorKind,
    actor_id: one.actorId,
    address: one.address,
    action: one.action,
    object_kind: one.objectKind,
    object_id: one.objectId,
    organisation_id: one.organisationId || null,
    detail: one.detail,
    hash: hex(one.hash),
  }));
  return `${JSON.stringify(plain, null, 2)}\n`;
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Hands a text to the browser as a file. */
export function download(name: string, text: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
