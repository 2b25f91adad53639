/** Asks before something that cannot be taken back. */

import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import type { Words } from '../hub/refusals';
import { Dialog } from './Dialog';
import { Field } from './Field';
import { Form } from './Form';

interface Props {
  title: string;
  verb: string;
  doing: string;
  /** A name that has to be typed first. */
  typed?: string;
  words?: Words;
  onClose: () => void;
  onConfirm: () => Promise<void>;
  children: ComponentChildren;
}

export function Confirm({ title, verb, doing, typed, words, onClose, onConfirm, children }: Props) {
  const id = useId();
  const [text, setText] = useState('');
  const check = () => (typed !== undefined && text !== typed ? `Type ${typed} to go on.` : undefined);
  return (
    <Dialog title={title} onClose={onClose} role="alertdialog" describedBy={id}>
      <Form verb={verb} doing={doing} danger words={words} check={check} onCancel={onClose}
        onSubmit={async () => {
          await onConfirm();
          onClose();
        }}>
        <div id={id} class="prose">{children}</div>
        {typed !== undefined && (
          <Field label={`Type ${typed} to confirm`} value={text} onInput={setText} plain autofocus again />
        )}
      </Form>
    </Dialog>
  );
}
