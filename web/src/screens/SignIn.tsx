import { Eye, EyeOff } from 'lucide';
import { useRef, useState } from 'preact/hooks';
import { signIn } from '../state/account';
import { Icon } from '../ui/Icon';

export function SignIn() {
  const [token, setToken] = useState('');
  const [shown, setShown] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  const field = useRef<HTMLInputElement>(null);

  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy || token.trim() === '') return field.current?.focus();
    setBusy(true);
    const said = await signIn(token.trim());
    setBusy(false);
    setProblem(said);
    if (said) field.current?.select();
  };

  return (
    <main class="center">
      <form class="card sign-in" onSubmit={submit}>
        <h1 class="brand large">LeapMux</h1>
        <p class="muted">Sign in to the Hub at <strong>{location.host}</strong>.</p>
        <label for="token">Access token</label>
        <div class="field-row">
          <input ref={field} id="token" type={(shown ? 'text' : 'password') as 'text'} autocomplete="current-password"
            spellcheck={false} autofocus value={token} aria-invalid={problem !== undefined}
            aria-describedby="token-help" onInput={(event) => setToken(event.currentTarget.value)} />
          <button type="button" class="ghost" aria-label={shown ? 'Hide token' : 'Show token'} aria-pressed={shown}
            onClick={() => setShown(!shown)}>
            <Icon of={shown ? EyeOff : Eye} />
          </button>
        </div>
        <p id="token-help" class={problem ? 'problem' : 'hint'} role={problem ? 'alert' : undefined}>
          {problem ?? 'Whoever runs the Hub gives you this token.'}
        </p>
        <button class="primary" type="submit" disabled={busy}>{busy ? 'Signing in…' : 'Sign in'}</button>
        {insecure() && (
          <p class="notice warn">
            This page came over plain http. Anyone on the network between you and the Hub can read
            the token and change this page. Ask for an https address.
          </p>
        )}
      </form>
    </main>
  );
}

function insecure(): boolean {
  return !window.isSecureContext;
}
