/** Who is connected to which Worker now: ids and no content, for there is none to see. */

import { listChannels } from '../state/administration';
import { workerName } from '../state/workers';
import { Asking } from '../ui/Asking';
import { Id, Table } from '../ui/Table';
import { displayText, plural } from '../ui/text';
import { useAsked } from '../ui/useAsked';

export function Channels() {
  const asked = useAsked(listChannels);
  return (
    <section class="settings-part stretch" aria-labelledby="channels-title">
      <div class="part-head"><h2 id="channels-title">Open channels</h2><button onClick={() => void asked.again()}>Look again</button></div>
      <p class="muted">Encrypted end to end. To close somebody’s, log the user out or deregister the Worker.</p>
      <Asking of={asked} />
      {asked.value && <p class="hint" role="status">{asked.value.length === 0 ? 'None is open.' : `${plural(asked.value.length, 'channel')} at this moment.`}</p>}
      {asked.value && asked.value.length > 0 && (
        <Table name="Open channels" heads={['User', 'Worker', 'Organisation', 'Credential', 'Channel']}>
          {asked.value.map((one) => (
            <tr key={one.channelId}>
              <th scope="row">{displayText(one.username, 60)}</th>
              <td>{workerName(one.workerId)}</td>
              <td><Id id={one.organisationId} /></td>
              <td><Id id={one.credentialId} /></td>
              <td><Id id={one.channelId} /></td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  );
}
