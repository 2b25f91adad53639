/** Asks the Hub to go over the whole chain, and shows what to keep elsewhere. */

import { useState } from 'preact/hooks';
import type { VerifyAuditResponse } from '../gen/leapmux/v1/administration_pb';
import { hex, verifyAudit } from '../state/audit';
import { Copyable } from '../ui/Copyable';
import { displayText } from '../ui/text';
import { useSubmit } from '../ui/useSubmit';

export function AuditProof() {
  const [proof, setProof] = useState<VerifyAuditResponse>();
  const { busy, problem, run } = useSubmit();
  const verify = () => run(async () => setProof(await verifyAudit()));
  return (
    <>
      <p class="muted">
        Each entry carries the hash of the one before, so that a change or a gap shows.{' '}
        <button class="link" aria-disabled={busy} onClick={() => void verify()}>{busy ? 'Verifying…' : 'Verify the chain'}</button>
      </p>
      <p class="problem" role="alert">{problem}</p>
      {proof && <Verdict proof={proof} />}
    </>
  );
}

function Verdict({ proof }: { proof: VerifyAuditResponse }) {
  if (!proof.intact) {
    return (
      <p class="notice danger" role="alert">
        <strong>The log is not whole.</strong> {displayText(proof.problem, 300)} Somebody may have changed the database: compare with a backup, and
        with hashes that you keep elsewhere.
      </p>
    );
  }
  return (
    <div class="notice verdict" role="status">
      <p><strong>Whole.</strong> {Number(proof.entries).toLocaleString()} entries, each fits the one before.</p>
      <Copyable label="Newest hash" text={hex(proof.head)} />
      <p class="hint">Keep it where whoever owns this Hub’s database cannot write: with it a cut at the end, or a log written anew, shows as well.</p>
    </div>
  );
}
