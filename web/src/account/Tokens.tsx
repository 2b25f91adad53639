/** Credentials for programs: the person's API tokens, and what Workers gave to processes. */

import { useState } from 'preact/hooks';
import type { ApiToken, Delegation } from '../gen/leapmux/v1/tokens_pb';
import { listDelegations, listTokens, revokeDelegation, revokeToken } from '../state/tokens';
import { toast } from '../state/toasts';
import { workerName } from '../state/workers';
import { Asking } from '../ui/Asking';
import { Confirm } from '../ui/Confirm';
import { day, displayText, moment } from '../ui/text';
import { useAsked } from '../ui/useAsked';
import { NewToken } from './NewToken';

export function Tokens() {
  const asked = useAsked(listTokens);
  const [making, setMaking] = useState(false);
  const [ending, setEnding] = useState<ApiToken>();
  return (
    <>
      <section class="settings-part" aria-labelledby="tokens-title">
        <h2 id="tokens-title">API tokens</h2>
        <p class="muted">For scripts and for <code>leapmux remote</code>. Each acts as you, for what its scopes allow, until you revoke it.</p>
        <Asking of={asked} />
        {asked.value?.length === 0 && <p class="hint">None yet.</p>}
        <ul class="records" aria-label="API tokens">
          {asked.value?.map((one) => <TokenRecord key={one.tokenId} one={one} onRevoke={() => setEnding(one)} />)}
        </ul>
        <button class="primary" onClick={() => setMaking(true)}>New token…</button>
        {making && <NewToken onClose={() => setMaking(false)} onMade={() => void asked.again()} />}
        {ending && (
          <Confirm title={`Revoke ${nameOf(ending)}?`} verb="Revoke" doing="Revoking…" onClose={() => setEnding(undefined)}
            onConfirm={async () => {
              await revokeToken(ending.tokenId);
              toast('Token revoked.');
              await asked.again();
            }}>
            <p>Programs that use it are refused from now on, and what they have connected closes at once.</p>
          </Confirm>
        )}
      </section>
      <Delegations />
    </>
  );
}

function TokenRecord({ one, onRevoke }: { one: ApiToken; onRevoke: () => void }) {
  const used = Number(one.lastUsedUnixMs);
  return (
    <li class="record">
      <div class="record-main">
        <h3>{nameOf(one)}</h3>
        <p class="tags">{one.scopes.map((scope) => <span key={scope} class="tag">{displayText(scope, 30)}</span>)}</p>
        <p class="hint">
          Made {day(Number(one.createdUnixMs))}, {used > 0 ? `last used ${moment(used)}` : 'never used'}. Ends {day(Number(one.expiresUnixMs))} unless it is refreshed.
        </p>
      </div>
      <div class="record-actions"><button onClick={onRevoke}>Revoke<span class="off-screen"> {nameOf(one)}</span></button></div>
    </li>
  );
}

function Delegations() {
  const asked = useAsked(listDelegations);
  const revoke = async (one: Delegation) => {
    try {
      await revokeDelegation(one.credentialId);
      toast('Delegation revoked.');
    } catch {
      toast('It could not be revoked. Try again.', 'danger');
    }
    await asked.again();
  };
  return (
    <section class="settings-part" aria-labelledby="delegations-title">
      <h2 id="delegations-title">Delegations</h2>
      <p class="muted">What a Worker gave to a program in one of your terminals so that it can act here as you. Good for an hour at most.</p>
      <Asking of={asked} />
      {asked.value?.length === 0 && <p class="hint">None stands now.</p>}
      <ul class="records" aria-label="Delegations">
        {asked.value?.map((one) => (
          <li key={one.credentialId} class="record">
            <div class="record-main">
              <h3>{workerName(one.workerId)}</h3>
              <p class="hint">Tab <code>{displayText(one.tabId, 40)}</code>. Since {moment(Number(one.createdUnixMs))}, until {moment(Number(one.expiresUnixMs))}.</p>
            </div>
            <div class="record-actions"><button onClick={() => void revoke(one)}>Revoke<span class="off-screen"> the delegation on {workerName(one.workerId)}</span></button></div>
          </li>
        ))}
      </ul>
    </section>
  );
}

function nameOf(one: ApiToken): string {
  return displayText(one.label, 60) || one.tokenId;
}
