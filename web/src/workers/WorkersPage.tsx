/** Every Worker that the person may see: whether it is there, whose it is, and whether its key was checked. */

import { Plus } from 'lucide';
import { useEffect, useState } from 'preact/hooks';
import type { PinRecord } from '../channel/handle';
import type { Worker } from '../gen/leapmux/v1/workers_pb';
import { channels, statuses } from '../state/channels';
import { go, section } from '../state/route';
import { isLookedAfter, isMine, workers } from '../state/workers';
import { Icon } from '../ui/Icon';
import { Places } from '../ui/Places';
import { RegisterDialog } from './RegisterDialog';
import { WorkerCard } from './WorkerCard';
import { WorkerDialogs, type Asking } from './WorkerDialogs';

export function WorkersPage() {
  return <Places title="Workers" route="workers" places={[{ section: '', name: 'Workers', show: () => <Workers /> }]} at="" wide />;
}

function Workers() {
  const [asking, setAsking] = useState<Asking>();
  const pins = usePins();
  const known = workers.value;
  const [mine, led] = [known?.filter(isMine) ?? [], known?.filter(isLookedAfter) ?? []];
  const others = known?.filter((one) => !isMine(one) && !isLookedAfter(one)) ?? [];
  const cards = (list: Worker[]) => (
    <ul class="cards">
      {list.map((worker) => <WorkerCard key={worker.workerId} worker={worker} pin={pins.of(worker.workerId)} changed={pins.read} ask={setAsking} />)}
    </ul>
  );
  return (
    <>
      <div class="page-head">
        <p class="muted">A Worker is a machine that you reach from here. Its key is kept in this browser and compared at every connection.</p>
        <button class="primary" onClick={() => go('workers', 'register')}><Icon of={Plus} /> Register a Worker</button>
      </div>
      {known === undefined && <p class="hint" role="status">Asking the Hub…</p>}
      {known?.length === 0 && (
        <div class="notice-block">
          <h2>No Worker yet</h2>
          <p>Register the machine that you want to work on. It takes one command there, and its key is checked without you comparing anything.</p>
        </div>
      )}
      {mine.length > 0 && <section class="settings-part stretch" aria-labelledby="own-workers"><h2 id="own-workers">Yours</h2>{cards(mine)}</section>}
      {others.length > 0 && <section class="settings-part stretch" aria-labelledby="other-workers"><h2 id="other-workers">Shared with you</h2>{cards(others)}</section>}
      {led.length > 0 && <section class="settings-part stretch" aria-labelledby="led-workers"><h2 id="led-workers">Of your organisations</h2><p class="hint">You may rename and deregister them. What runs on them is not yours to see.</p>{cards(led)}</section>}
      {section.value === 'register' && <RegisterDialog onClose={() => go('workers')} />}
      {asking && <WorkerDialogs asking={asking} pin={pins.of(asking.worker.workerId)} onClose={() => setAsking(undefined)} />}
    </>
  );
}

/** What this browser keeps of each; read again whenever a channel says something. */
function usePins() {
  const [pins, setPins] = useState<PinRecord[]>([]);
  const read = () => void channels().pins().then(setPins, () => undefined);
  useEffect(read, [statuses.value]);
  return { read, of: (workerId: string) => pins.find((pin) => pin.workerId === workerId) };
}
