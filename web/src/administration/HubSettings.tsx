/** What an admin can switch while the Hub runs; everything else is its configuration. */

import { useState } from 'preact/hooks';
import { sentence } from '../hub/refusals';
import { hub } from '../state/account';
import { getSettings, updateSettings } from '../state/administration';
import { toast } from '../state/toasts';
import { Asking } from '../ui/Asking';
import { useAsked } from '../ui/useAsked';

export function HubSettings() {
  const asked = useAsked(getSettings);
  const [busy, setBusy] = useState(false);
  const open = asked.value?.signUpOpen ?? false;
  const turn = async (on: boolean) => {
    if (!asked.value) return;
    setBusy(true);
    asked.set({ ...asked.value, signUpOpen: on });
    try {
      const settings = await updateSettings(on);
      asked.set(settings);
      hub.value = { ...hub.value, signUpOpen: settings.signUpOpen };
      toast(settings.signUpOpen ? 'Anybody can make an account now.' : 'Accounts are made by admins and invitations only.');
    } catch (error) {
      toast(sentence(error), 'danger');
      await asked.again();
    }
    setBusy(false);
  };
  return (
    <section class="settings-part" aria-labelledby="hub-title">
      <h2 id="hub-title">Settings of this Hub</h2>
      <Asking of={asked} />
      {asked.value && (
        <label class="check">
          <input type="checkbox" role="switch" checked={open} disabled={busy} aria-describedby="sign-up-hint" onChange={(event) => void turn(event.currentTarget.checked)} />
          <span>Anybody may make an account</span>
        </label>
      )}
      <p class="hint" id="sign-up-hint">Invitations to organisations let in either way. Whoever has an account can register Workers and use this Hub’s bandwidth.</p>
      <p class="hint">Mail: {hub.value.mail ? 'this Hub can send it.' : 'not set up; addresses cannot be confirmed and forgotten passwords not replaced by mail.'}</p>
    </section>
  );
}
