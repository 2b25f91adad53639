/** Registration keys that are still good: minutes, each for one Worker. */

import type { RegistrationKeyAccount } from '../gen/leapmux/v1/administration_pb';
import { listRegistrationKeys, revokeRegistrationKey } from '../state/administration';
import { toast } from '../state/toasts';
import { Asking } from '../ui/Asking';
import { Table } from '../ui/Table';
import { displayText, moment } from '../ui/text';
import { useAsked } from '../ui/useAsked';

export function RegistrationKeys() {
  const asked = useAsked(listRegistrationKeys);
  const revoke = async (one: RegistrationKeyAccount) => {
    try {
      await revokeRegistrationKey(one.keyId);
      toast('Key revoked.');
    } catch {
      toast('The key could not be revoked. It may be used or over already.', 'danger');
    }
    await asked.again();
  };
  return (
    <section class="settings-part stretch" aria-labelledby="keys-title">
      <div class="part-head"><h2 id="keys-title">Registration keys</h2><button onClick={() => void asked.again()}>Look again</button></div>
      <p class="muted">Unused ones. The Hub does not know the keys themselves; the id names a hash and opens nothing.</p>
      <Asking of={asked} />
      {asked.value?.length === 0 && <p class="hint" role="status">No key is waiting for a Worker.</p>}
      {asked.value && asked.value.length > 0 && (
        <Table name="Registration keys" heads={['Id', 'Made by', 'For the Worker', 'Good until', '']}>
          {asked.value.map((one) => (
            <tr key={one.keyId}>
              <td><code>{displayText(one.keyId, 20)}</code></td>
              <td>{displayText(one.username, 60)}</td>
              <td>{displayText(one.workerName, 60) || <span class="muted">not named</span>}</td>
              <td>{moment(Number(one.expiresUnixMs))}</td>
              <td class="acts"><button class="small" onClick={() => void revoke(one)}>Revoke<span class="off-screen"> {displayText(one.keyId, 20)}</span></button></td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  );
}
