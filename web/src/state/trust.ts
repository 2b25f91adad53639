/** The trust questions that wait for a person, one dialog at a time. Silence is "reject". */

import { signal } from '@preact/signals';
import { TRUST_TIMEOUT_MS, type TrustAnswer, type TrustQuestion } from '../channel/handle';

interface Waiting {
  question: TrustQuestion;
  resolve(answer: TrustAnswer): void;
}

export const questions = signal<Waiting[]>([]);

/** The callback for the channel thread. Its answer is final; a second one changes nothing. */
export function askForTrust(question: TrustQuestion): Promise<TrustAnswer> {
  return new Promise((answer) => {
    const resolve = (given: TrustAnswer) => {
      clearTimeout(timer);
      questions.value = questions.value.filter((other) => other !== waiting);
      answer(given);
    };
    const waiting: Waiting = { question, resolve };
    const timer = setTimeout(() => resolve('reject'), TRUST_TIMEOUT_MS);
    questions.value = [...questions.value, waiting];
  });
}
