/** The link of a mail that asks whether an address is somebody's. */

import { useState } from 'preact/hooks';
import { confirmEmail } from '../state/entry';
import { carried, dropCarried } from '../state/route';
import { Form } from '../ui/Form';
import { displayText } from '../ui/text';
import { useTitle } from '../ui/useTitle';
import { Card, GoTo } from './Card';

/** A button and not at once: programs that look into mails follow links too. */
export function ConfirmEmail() {
  const [code] = useState(carried('confirm'));
  const [email, setEmail] = useState<string>();
  useTitle('Confirm the address');
  const back = <div class="card-foot"><GoTo place="workspace">Go to the Hub</GoTo></div>;
  if (email !== undefined) {
    return <Card lead="Thank you."><p role="status"><strong>{displayText(email, 254)}</strong> is confirmed.</p>{back}</Card>;
  }
  if (code === '') {
    return <Card lead="This link is not whole."><p>Copy all of it from the mail and open it again.</p>{back}</Card>;
  }
  return (
    <Card lead="Is this e-mail address yours?">
      <p>It becomes the address of your account at this Hub. A forgotten password can then be replaced by mail.</p>
      <Form verb="Confirm the address" doing="Confirming…"
        onSubmit={async () => {
          setEmail(await confirmEmail(code));
          dropCarried();
        }}>
        {null}
      </Form>
      {back}
    </Card>
  );
}
