import { useState } from 'preact/hooks';
import { setPref } from '../state/prefs';
import { Dialog } from '../ui/Dialog';
import { plural } from '../ui/text';
import { lineCount } from './clipboard';

const PREVIEW_LINES = 12;

/** Several lines may run at once: shows them first. */
export function PasteDialog({ text, onAnswer }: { text: string; onAnswer: (accept: boolean) => void }) {
  const [quiet, setQuiet] = useState(false);
  const lines = text.split('\n');
  const more = lineCount(text) - PREVIEW_LINES;
  const accept = () => {
    if (quiet) setPref('pasteWarning', false);
    onAnswer(true);
  };
  return (
    <Dialog title={`Paste ${plural(lineCount(text), 'line')}?`} onClose={() => onAnswer(false)} describedBy="paste-text">
      <p id="paste-text">A shell may run each line as it arrives.</p>
      <pre class="preview" tabIndex={0}>{lines.slice(0, PREVIEW_LINES).join('\n')}</pre>
      {more > 0 && <p class="hint">and {plural(more, 'more line', 'more lines')}</p>}
      <label class="check">
        <input type="checkbox" checked={quiet} onChange={(event) => setQuiet(event.currentTarget.checked)} />
        Do not ask again
      </label>
      <div class="actions">
        <button onClick={() => onAnswer(false)}>Cancel</button>
        <button class="primary" data-first onClick={accept}>Paste</button>
      </div>
    </Dialog>
  );
}
