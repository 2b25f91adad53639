/** How much one organisation may have. All four are set together, or the Hub's defaults hold. */

import { useState } from 'preact/hooks';
import type { OrganisationAccount } from '../gen/leapmux/v1/administration_pb';
import { sentence } from '../hub/refusals';
import { setQuotas } from '../state/administration';
import { toast } from '../state/toasts';
import { Dialog } from '../ui/Dialog';
import { Field } from '../ui/Field';
import { Form } from '../ui/Form';
import { displayText } from '../ui/text';

const LARGEST = 4_294_967_295;

export function QuotasDialog({ one, onClose, onDone }: { one: OrganisationAccount; onClose: () => void; onDone: () => void }) {
  const [members, setMembers] = useState(first(one.maxMembers));
  const [workers, setWorkers] = useState(first(one.maxWorkers));
  const [channels, setChannels] = useState(first(one.maxChannels));
  const [bytes, setBytes] = useState(one.maxBytesPerSecond > 0n ? one.maxBytesPerSecond.toString() : '0');
  const name = displayText(one.slug, 40);
  const set = async (how: Parameters<typeof setQuotas>[1], said: string) => {
    await setQuotas(one.organisationId, how);
    toast(said);
    onDone();
    onClose();
  };
  const check = () => {
    const wrong = [members, workers, channels].some((text) => !/^\d{1,10}$/.test(text) || Number(text) < 1 || Number(text) > LARGEST);
    return wrong || !/^\d{1,15}$/.test(bytes) ? 'Each needs a whole number; the first three at least 1.' : undefined;
  };
  const defaults = () => set(undefined, `${name} has the Hub’s quotas again.`).catch((error: unknown) => toast(sentence(error), 'danger'));
  return (
    <Dialog title={`Quotas of ${name}`} onClose={onClose}>
      <p class="muted">What is over a new quota already stays; nothing is added until there is room.</p>
      <Form verb="Set the quotas" doing="Setting…" check={check} onCancel={onClose}
        onSubmit={() => set({ members: Number(members), workers: Number(workers), channels: Number(channels), bytesPerSecond: BigInt(bytes) }, `${name} has new quotas.`)}>
        <Field label="Members" value={members} onInput={setMembers} plain maxLength={10} autofocus again />
        <Field label="Workers" value={workers} onInput={setWorkers} plain maxLength={10} />
        <Field label="Channels at once" value={channels} onInput={setChannels} plain maxLength={10} />
        <Field label="Relayed bytes a second" value={bytes} onInput={setBytes} plain maxLength={15} hint="Both directions together; 0 = no limit." />
        <button type="button" class="link fit" onClick={() => void defaults()}>Use the Hub’s defaults</button>
      </Form>
    </Dialog>
  );
}

function first(quota: number): string {
  return quota > 0 ? String(quota) : '';
}
