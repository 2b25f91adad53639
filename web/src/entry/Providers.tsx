/** The providers of sign-in that the Hub's operator switched on. */

import { KeyRound } from 'lucide';
import { useEffect, useState } from 'preact/hooks';
import type { Provider } from '../gen/leapmux/v1/accounts_pb';
import { listProviders, startPath } from '../state/providers';
import { displayText } from '../ui/text';
import { Icon } from '../ui/Icon';

export function Providers() {
  const [providers, setProviders] = useState<Provider[]>([]);
  useEffect(() => {
    // Without an answer the password is the way in.
    void listProviders().then(setProviders, () => undefined);
  }, []);
  const refused = new URL(location.href).searchParams.get('oauth_error');
  if (providers.length === 0 && refused === null) return null;
  return (
    <>
      {refused !== null && <p class="problem" role="alert">{refusal(refused)}</p>}
      {providers.length > 0 && (
        <div class="providers" role="group" aria-label="Other ways to sign in">
          <p class="or"><span>or</span></p>
          {providers.map((one) => (
            <a key={one.providerId} class="button" href={startPath(one.providerId, location.pathname)}>
              <Icon of={KeyRound} /> Go on with {displayText(one.name, 40) || one.providerId}
            </a>
          ))}
        </div>
      )}
    </>
  );
}

function refusal(word: string): string {
  return REFUSALS[word] ?? 'The provider did not let you in. Try again, or use another way.';
}

const REFUSALS: Readonly<Record<string, string>> = {
  denied: 'You did not allow it at the provider.',
  expired: 'That took too long, or was begun in another browser. Try again.',
  no_account: 'Nobody here has linked this account. Sign in another way and link it in the settings.',
};
