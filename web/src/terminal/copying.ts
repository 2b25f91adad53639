/** Copies, and says whether it was. */

import { toast } from '../state/toasts';
import { plural } from '../ui/text';
import { lineCount, writeClipboard } from './clipboard';

export async function copyText(text: string, what: string): Promise<void> {
  const done = await writeClipboard(text);
  if (done) toast(`${what} ${plural(lineCount(text), 'line')}`);
  else toast('The browser did not allow copying.', 'danger');
}
