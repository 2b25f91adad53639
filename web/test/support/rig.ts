// A client with a fake Hub and Worker, a clock that stands still until told, and what the page hears.

import { IDBFactory } from 'fake-indexeddb';
import { Client } from '../../src/channel/client';
import { openDatabase } from '../../src/channel/database';
import { loadDevice } from '../../src/channel/device';
import type { ChannelState, ChannelStatus, FromThread, ToThread, TrustAnswer, TrustQuestion } from '../../src/channel/door';
import type { Parameters } from '../../src/channel/parameters';
import { PinStore } from '../../src/channel/pins';
import { GrantedStore } from '../../src/channel/granted';
import { RegistrationStore } from '../../src/channel/registrations';
import type { Signed } from '../../src/gen/leapmux/v1/channel_pb';
import type { Surroundings } from '../../src/channel/surroundings';
import { type Bytes, bytesToHex } from '../../src/crypto/wire';
import { FakeHub, USER_ID, WORKER_ID, random } from './fake-worker';

interface Timer { at: number; call: () => void }

/** Lets promises, microtasks and the fake database settle. */
export async function settle(turns = 60): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export class Rig {
  readonly hub = new FakeHub();
  readonly heard: FromThread[] = [];
  readonly questions: TrustQuestion[] = [];
  trust: (question: TrustQuestion) => Promise<TrustAnswer> = async () => 'reject';
  now = 1_700_000_000_000;
  /** How far the machine's clock was set forward. */
  clockSet = 0;
  online = true;
  rotation: Bytes = new Uint8Array(0);
  registration: Pick<Parameters, 'registrationId' | 'registrationTag'> = {};
  certificates: Signed[] = [];
  parametersFail: Error | undefined;
  storageFails = false;
  readonly client: Client;
  #timers: Timer[] = [];
  #database: Promise<IDBDatabase>;

  constructor(factory: IDBFactory = new IDBFactory(), overrides: Partial<Surroundings> = {}) {
    this.#database = openDatabase(factory);
    this.client = new Client({
      connect: this.hub.connect,
      parameters: async (): Promise<Parameters> => {
        if (this.parametersFail) throw this.parametersFail;
        const { identity, mode } = this.hub;
        return { publicKey: identity.public.bytes, mode, online: this.online, rotation: this.rotation, ...this.registration };
      },
      certificates: async () => this.certificates,
      granted: async () => new GrantedStore(await this.#database),
      registrations: async () => new RegistrationStore(await this.#database),
      pins: async () => {
        if (this.storageFails) throw new Error('storage');
        return new PinStore(await this.#database);
      },
      device: async () => loadDevice(await this.#database, undefined, random),
      words: (key) => `words-${bytesToHex(key.slice(0, 4))}`,
      trust: (question) => {
        this.questions.push(question);
        return this.trust(question);
      },
      tell: (message) => this.heard.push(message),
      random,
      now: () => this.now,
      date: () => this.now + this.clockSet,
      after: (milliseconds, call) => {
        const timer = { at: this.now + milliseconds, call };
        this.#timers.push(timer);
        return () => {
          this.#timers = this.#timers.filter((one) => one !== timer);
        };
      },
      ...overrides,
    });
  }

  pins = async (): Promise<PinStore> => new PinStore(await this.#database);

  ask(message: Exclude<ToThread, { kind: 'trust-answer' }>): void {
    this.client.receive(message);
  }

  async open(): Promise<void> {
    this.ask({ kind: 'open', workerId: WORKER_ID, userId: USER_ID });
    await settle();
  }

  /** Moves the clock, ringing each timer at its own moment. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds;
    for (;;) {
      const next = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.now = Math.max(this.now, next.at);
      next.call();
      await settle(20);
    }
    this.now = end;
  }

  get statuses(): ChannelStatus[] {
    return this.heard.flatMap((message) => (message.kind === 'status' ? [message.status] : []));
  }
  get states(): ChannelState[] {
    return this.statuses.map((status) => status.state);
  }
  get last(): ChannelStatus {
    return this.statuses.at(-1)!;
  }
  of<K extends FromThread['kind']>(kind: K): Extract<FromThread, { kind: K }>[] {
    return this.heard.filter((message) => message.kind === kind) as Extract<FromThread, { kind: K }>[];
  }
}
