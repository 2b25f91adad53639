import { useEffect, useState } from 'preact/hooks';
import { EVERYTHING, type Filter } from '../state/audit';
import { Field } from '../ui/Field';

const FIELDS = [
  ['action', 'Action begins with', 'login.'],
  ['actorId', 'Who (id)', ''],
  ['objectId', 'To (id)', ''],
  ['organisationId', 'Organisation (id)', ''],
] as const;

export function AuditFilter({ filter, onFilter }: { filter: Filter; onFilter: (filter: Filter) => void }) {
  const [typed, setTyped] = useState(filter);
  useEffect(() => setTyped(filter), [filter]);
  const any = FIELDS.some(([name]) => filter[name] !== '');
  const submit = (event: Event) => {
    event.preventDefault();
    onFilter({ action: typed.action.trim(), actorId: typed.actorId.trim(), objectId: typed.objectId.trim(), organisationId: typed.organisationId.trim() });
  };
  return (
    <form class="filter" onSubmit={submit} role="search" aria-label="Filter the audit log">
      {FIELDS.map(([name, label, example]) => (
        <Field key={name} label={label} value={typed[name]} plain maxLength={128} placeholder={example} onInput={(text) => setTyped({ ...typed, [name]: text })} />
      ))}
      <div class="row">
        <button type="submit">Filter</button>
        {any && <button type="button" class="ghost" onClick={() => onFilter(EVERYTHING)}>Show everything</button>}
      </div>
    </form>
  );
}
