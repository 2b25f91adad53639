/** The trust questions that wait for a person, one dialog at a time. Silence is "reject". */

import { signal } from '@preact/signals';
import { TRUST_TIMEOUT_MS, type TrustAnswer, type TrustQuestion } from '../channel/handle';

export interface Waiting {
  /** Of this asking: two questions about one Worker are two dialogs. */
  id: number;
  question: TrustQuestion;
  resolve(answer: TrustAnswer): void;
}

let nextId = 1;
export const questions = signal<Waiting[]>([]);

/**
 * The callback for the channel thread. Its answer is final; a second one changes nothing. A question
 * that is withdrawn leaves the page unanswered, which is "reject".
 */
export function askForTrust(question: TrustQuestion, withdrawn?: AbortSignal): Promise<TrustAnswer> {
  return new Promise((answer) => {
    const resolve = (given: TrustAnswer) => {
      clearTimeout(timer);
      questions.value = questions.value.filter((other) => other !== waiting);
      answer(given);
    };
    const waiting: Waiting = { id: nextId++, question, resolve };
    const timer = setTimeout(() => resolve('reject'), TRUST_TIMEOUT_MS);
    withdrawn?.addEventListener('abort', () => resolve('reject'), { once: true });
    questions.value = [...questions.value, waiting];
  });
}
