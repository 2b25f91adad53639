// The trust questions that the page has not answered yet. Each has a number of its own, so that an
// answer can reach only the question that the person saw.

import type { FromThread, TrustAnswer, TrustQuestion } from './door';

/** The page's handle rejects after 120 s; this is for a page that has gone. */
const TIMEOUT_MS = 130_000;

interface Asked { workerId: string; settle(answer: TrustAnswer): void }

export class Questions {
  #nextId = 1;
  readonly #asked = new Map<number, Asked>();

  constructor(
    private readonly tell: (message: FromThread) => void,
    private readonly after: (milliseconds: number, call: () => void) => () => void,
  ) {}

  /** One question per Worker: a newer one takes the place of an older, which is withdrawn and rejected. */
  ask(question: TrustQuestion): Promise<TrustAnswer> {
    const { workerId } = question;
    for (const [id, asked] of [...this.#asked]) if (asked.workerId === workerId) this.#withdraw(id);
    const id = this.#nextId++;
    return new Promise((resolve) => {
      const callOff = this.after(TIMEOUT_MS, () => this.#withdraw(id));
      this.#asked.set(id, { workerId, settle: (answer) => { callOff(); resolve(answer); } });
      this.tell({ kind: 'trust', id, question });
    });
  }

  /** An answer to a question that stands no more changes nothing. */
  answer(id: number, answer: TrustAnswer): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    asked?.settle(answer);
  }

  #withdraw(id: number): void {
    this.answer(id, 'reject');
    this.tell({ kind: 'trust-withdrawn', id });
  }
}
