// What the page is told of one Worker's channel: its state, and what is known of the Worker.

import type { Mode } from '../crypto/mode';
import type { ChannelState, ChannelStatus } from './door';
import { type Facts, deviceWords, factsOf } from './facts';
import type { Parameters } from './parameters';
import type { Surroundings } from './surroundings';

export class Report {
  #status: ChannelStatus;
  #facts: Facts = {};

  constructor(private readonly workerId: string, private readonly surroundings: Surroundings) {
    this.#status = { workerId, state: 'idle' };
  }

  get status(): Readonly<ChannelStatus> {
    return this.#status;
  }

  /** `retryAt` by the clock of `now`. */
  tell(state: ChannelState, facts: Partial<ChannelStatus>): void {
    const { now, date } = this.surroundings;
    const retryAt = facts.retryAt === undefined ? undefined : facts.retryAt - now() + date();
    this.#status = { ...this.#facts, ...facts, retryAt, workerId: this.workerId, state };
    this.surroundings.tell({ kind: 'status', status: this.#status });
  }

  /** What was known before is of a pin that is no more. */
  pinDropped(): void {
    this.#facts = { pinDropped: true };
  }

  /** Reads again what the pin says. */
  async learn(offered: Parameters): Promise<void> {
    const facts = await factsOf(this.surroundings, this.workerId, offered);
    this.#facts = { ...facts, pinDropped: this.#facts.pinDropped };
  }

  async learnDevice(mode: Mode): Promise<void> {
    this.#facts = { ...this.#facts, deviceWords: await deviceWords(this.surroundings, mode) };
  }
}
