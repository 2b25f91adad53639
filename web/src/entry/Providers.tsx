/** The providers of sign-in that the Hub's operator switched on. */

import { KeyRound } from 'lucide';
import { useEffect, useState } from 'preact/hooks';
import type { Provider } from '../gen/leapmux/v1/accounts_pb';
import { listProviders, startPath, takeRefusal } from '../state/providers';
import { displayText } from '../ui/text';
import { Icon } from '../ui/Icon';

export function Providers() {
  const [providers, setProviders] = useState<Provider[]>([]);
  useEffect(() => {
    // Without an answer the password is the way in.
    void listProviders().then(setProviders, () => undefined);
  }, []);
  const [refused] = useState(takeRefusal);
  if (providers.length === 0 && refused === undefined) return null;
  return (
    <>
      {refused !== undefined && <p class="problem" role="alert">{refused}</p>}
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
