/** Every organisation with what it uses, and its quotas. Zero stands for the Hub's default. */

import { useState } from 'preact/hooks';
import type { OrganisationAccount } from '../gen/leapmux/v1/administration_pb';
import { listOrganisations } from '../state/administration';
import { Asking } from '../ui/Asking';
import { Table } from '../ui/Table';
import { displayText } from '../ui/text';
import { useList } from '../ui/useList';
import { QuotasDialog } from './QuotasDialog';

export function Organisations() {
  const [changing, setChanging] = useState<OrganisationAccount>();
  const list = useList(async (after) => {
    const page = await listOrganisations(after);
    return { items: page.organisations, next: page.nextAfter };
  });
  return (
    <section class="settings-part stretch" aria-labelledby="organisations-title">
      <h2 id="organisations-title">Organisations</h2>
      <Asking of={list} />
      {list.value && (
        <Table name="Organisations" heads={['Name', 'Members', 'Workers', 'Workspaces', 'Channels at once', 'Bytes a second', '']}>
          {list.items.map((one) => <Row key={one.organisationId} one={one} onQuotas={() => setChanging(one)} />)}
        </Table>
      )}
      {list.more && <button onClick={() => void list.more?.()}>More</button>}
      {changing && <QuotasDialog one={changing} onClose={() => setChanging(undefined)} onDone={() => void list.again()} />}
    </section>
  );
}

function Row({ one, onQuotas }: { one: OrganisationAccount; onQuotas: () => void }) {
  const slug = displayText(one.slug, 40);
  const name = displayText(one.name, 60);
  const limit = (most: number | bigint) => (Number(most) > 0 ? Number(most).toLocaleString() : <span class="muted">default</span>);
  const of = (most: number) => most > 0 && <span class="muted"> of {most}</span>;
  return (
    <tr>
      <th scope="row">{name || slug} {name !== '' && name !== slug && <span class="aside">{slug}</span>}{one.personal && <span class="tag">personal</span>}</th>
      <td class="number">{one.members}{of(one.maxMembers)}</td>
      <td class="number">{one.workers}{of(one.maxWorkers)}</td>
      <td class="number">{one.workspaces}</td>
      <td class="number">{limit(one.maxChannels)}</td>
      <td class="number">{limit(one.maxBytesPerSecond)}</td>
      <td class="acts"><button class="small" onClick={onQuotas}>Quotas…<span class="off-screen"> of {slug}</span></button></td>
    </tr>
  );
}
