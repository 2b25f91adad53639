/** Every organisation with what it uses of its quotas. Zero stands for the Hub's default. */

import type { OrganisationAccount } from '../gen/leapmux/v1/administration_pb';
import { listOrganisations } from '../state/administration';
import { Asking } from '../ui/Asking';
import { Table } from '../ui/Table';
import { displayText } from '../ui/text';
import { useList } from '../ui/useList';

export function Organisations() {
  const list = useList(async (after) => {
    const page = await listOrganisations(after);
    return { items: page.organisations, next: page.nextAfter };
  });
  return (
    <section class="settings-part stretch" aria-labelledby="organisations-title">
      <h2 id="organisations-title">Organisations</h2>
      <Asking of={list} />
      {list.value && (
        <Table name="Organisations" heads={['Name', 'Members', 'Workers', 'Workspaces', 'Channels at once', 'Bytes a second']}>
          {list.items.map((one) => <Row key={one.organisationId} one={one} />)}
        </Table>
      )}
      {list.more && <button onClick={() => void list.more?.()}>More</button>}
    </section>
  );
}

function Row({ one }: { one: OrganisationAccount }) {
  const slug = displayText(one.slug, 40);
  const name = displayText(one.name, 60);
  const of = (most: number | bigint) => (Number(most) > 0 ? Number(most).toLocaleString() : 'default');
  return (
    <tr>
      <th scope="row">{name || slug} {name !== '' && name !== slug && <span class="aside">{slug}</span>}{one.personal && <span class="tag">personal</span>}</th>
      <td class="number">{one.members} <span class="muted">of {of(one.maxMembers)}</span></td>
      <td class="number">{one.workers} <span class="muted">of {of(one.maxWorkers)}</span></td>
      <td class="number">{one.workspaces}</td>
      <td class="number">{of(one.maxChannels)}</td>
      <td class="number">{of(one.maxBytesPerSecond)}</td>
    </tr>
  );
}
