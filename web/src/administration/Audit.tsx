/** Who did what to whom, from where. The Hub chains the entries, so that a cut or a change shows. */

import { useState } from 'preact/hooks';
import type { AuditEntry } from '../gen/leapmux/v1/administration_pb';
import { sentence } from '../hub/refusals';
import { EVERYTHING, EXPORT_AT_MOST, download, exported, listAudit, readAll, type Filter } from '../state/audit';
import { toast } from '../state/toasts';
import { Asking } from '../ui/Asking';
import { Id, Table } from '../ui/Table';
import { displayText, moment } from '../ui/text';
import { useList } from '../ui/useList';
import { AuditFilter } from './AuditFilter';
import { AuditProof } from './AuditProof';

const PAGE = 50;

export function Audit() {
  const [filter, setFilter] = useState<Filter>(EVERYTHING);
  const list = useList(async (before) => {
    const items = await listAudit(filter, BigInt(before || '0'), PAGE);
    const last = items.at(-1)?.seq ?? 0n;
    return { items, next: items.length < PAGE || last <= 1n ? '' : last.toString() };
  }, [filter]);
  const narrow = (more: Partial<Filter>) => setFilter({ ...filter, ...more });
  return (
    <section class="settings-part stretch" aria-labelledby="audit-title">
      <div class="part-head">
        <h2 id="audit-title">Audit log</h2>
        <Export filter={filter} />
        <button onClick={() => void list.again()}>Look again</button>
      </div>
      <AuditProof />
      <AuditFilter filter={filter} onFilter={setFilter} />
      <Asking of={list} />
      {list.value && list.items.length === 0 && <p class="hint" role="status">No entry fits.</p>}
      {list.items.length > 0 && (
        <Table name="Audit log" heads={['No.', 'When', 'Who', 'From', 'Did', 'To', 'Detail', 'Organisation']}>
          {list.items.map((one) => <Row key={one.seq.toString()} one={one} narrow={narrow} />)}
        </Table>
      )}
      {list.more && <button onClick={() => void list.more?.()}>Older</button>}
    </section>
  );
}

function Row({ one, narrow }: { one: AuditEntry; narrow: (more: Partial<Filter>) => void }) {
  const at = new Date(Number(one.atUnixMs)).toISOString();
  return (
    <tr>
      <td class="number muted">{one.seq.toString()}</td>
      <td><time dateTime={at} title={at}>{moment(Number(one.atUnixMs))}</time></td>
      <td>{displayText(one.actorKind, 20)} {one.actorId !== '' && <Id id={one.actorId} what="what this one did" onPick={(actorId) => narrow({ actorId })} />}</td>
      <td><code>{displayText(one.address, 50)}</code></td>
      <td><button class="link" title="Show only this action" onClick={() => narrow({ action: one.action })}>{displayText(one.action, 60)}</button></td>
      <td>{displayText(one.objectKind, 20).replace('_', ' ')} {one.objectId !== '' && <Id id={one.objectId} what="what happened to this" onPick={(objectId) => narrow({ objectId })} />}</td>
      <td>{displayText(one.detail, 60)}</td>
      <td>{one.organisationId !== '' && <Id id={one.organisationId} what="this organisation" onPick={(organisationId) => narrow({ organisationId })} />}</td>
    </tr>
  );
}

function Export({ filter }: { filter: Filter }) {
  const [count, setCount] = useState<number>();
  const run = async () => {
    if (count !== undefined) return;
    setCount(0);
    try {
      const entries = await readAll(filter, setCount);
      download(`leapmux-audit-${new Date().toISOString().slice(0, 10)}.json`, exported(entries));
      if (entries.length >= EXPORT_AT_MOST) toast(`Only the newest ${entries.length} entries. For all of them: leapmux admin audit export`, 'danger');
    } catch (error) {
      toast(sentence(error), 'danger');
    }
    setCount(undefined);
  };
  return <button aria-disabled={count !== undefined} onClick={() => void run()}>{count === undefined ? 'Export as JSON' : `Read ${count}…`}</button>;
}
