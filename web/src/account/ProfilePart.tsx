import { useState } from 'preact/hooks';
import { profile } from '../state/account';
import { changeName } from '../state/myself';
import { toast } from '../state/toasts';
import { Field } from '../ui/Field';
import { Form } from '../ui/Form';

export function ProfilePart() {
  const [name, setName] = useState(profile.peek()?.displayName ?? '');
  const same = name.trim() === (profile.value?.displayName ?? '');
  return (
    <section class="settings-part" aria-labelledby="profile-title">
      <h2 id="profile-title">Full name</h2>
      <Form verb="Save" doing="Saving…" disabled={same}
        onSubmit={async () => {
          await changeName(name.trim());
          toast('Name saved.');
        }}>
        <Field label="Full name" value={name} onInput={setName} autocomplete="name" maxLength={80}
          hint="Shown to members of your organisations, beside your user name." />
      </Form>
    </section>
  );
}
