/** Making an API token; its two secrets are shown once. */

import { useState } from 'preact/hooks';
import type { TokenPair } from '../gen/leapmux/v1/tokens_pb';
import { profile } from '../state/account';
import { SCOPES, createToken } from '../state/tokens';
import { Copyable } from '../ui/Copyable';
import { Dialog } from '../ui/Dialog';
import { Field, PasswordField } from '../ui/Field';
import { Form } from '../ui/Form';
import { moment } from '../ui/text';

export function NewToken({ onClose, onMade }: { onClose: () => void; onMade: () => void }) {
  const [label, setLabel] = useState('');
  const [scopes, setScopes] = useState<string[]>(['read']);
  const [password, setPassword] = useState('');
  const [made, setMade] = useState<TokenPair>();
  if (made) return <Shown made={made} onClose={onClose} />;
  const turn = (scope: string, on: boolean) => setScopes(on ? [...scopes, scope] : scopes.filter((one) => one !== scope));
  const check = () => (label.trim() === '' ? 'Give it a name, so that you know it later.' : scopes.length === 0 ? 'Choose one scope at least.' : undefined);
  const words = { unauthenticated: 'The password is wrong.' };
  return (
    <Dialog title="New API token" onClose={onClose}>
      <Form verb="Make the token" doing="Making…" check={check} words={words} onCancel={onClose}
        onSubmit={async () => {
          setMade(await createToken(label.trim(), scopes, password));
          onMade();
        }}>
        <Field label="Name" value={label} onInput={setLabel} maxLength={60} placeholder="nightly build" autofocus />
        <fieldset class="choices">
          <legend>It may</legend>
          {SCOPES.map(({ scope, what }) => (
            <label key={scope} class="check">
              <input type="checkbox" checked={scopes.includes(scope)} onChange={(event) => turn(scope, event.currentTarget.checked)} />
              <span>{what} <code class="hint">{scope}</code></span>
            </label>
          ))}
        </fieldset>
        {profile.value?.hasPassword && <PasswordField label="Your password" value={password} onInput={setPassword} again />}
      </Form>
    </Dialog>
  );
}

/** Neither Escape nor a click beside it closes this: what is lost here is lost. */
function Shown({ made, onClose }: { made: TokenPair; onClose: () => void }) {
  return (
    <Dialog title="Copy the token now" onClose={() => undefined}>
      <p>Both parts are shown this once. The Hub keeps only hashes of them.</p>
      <Copyable label="Access token" text={made.accessToken} first />
      <p class="hint">Good until {moment(Number(made.accessExpiresUnixMs))}. Send it as <code>Authorization: Bearer …</code></p>
      <Copyable label="Refresh token" text={made.refreshToken} />
      <p class="hint">Trades for a new pair, once, until {moment(Number(made.refreshExpiresUnixMs))}. Used a second time later on, it ends the token.</p>
      <div class="actions"><button class="primary" onClick={onClose}>I have copied them</button></div>
    </Dialog>
  );
}
