// Entry of the dedicated Web Worker that owns the WebSocket, all keys and the pins.

import { fetchCertificates } from './certificates';
import { loadDevice } from './device';
import { Client } from './client';
import { openDatabase } from './database';
import type { FromThread, ToThread } from './door';
import { fingerprint } from '../crypto/fingerprint';
import type { DeviceKey } from '../crypto/device';
import { type Bytes, type RandomSource, bytesToHex } from '../crypto/wire';
import { GrantedStore } from './granted';
import { once } from './once';
import { fetchParameters } from './parameters';
import { PinStore } from './pins';
import { Questions } from './questions';
import { RegistrationStore } from './registrations';
import type { Wire, WireEvents } from './surroundings';

interface ThreadScope {
  onmessage: ((event: MessageEvent<ToThread>) => void) | null;
  postMessage(message: FromThread, transfer: Transferable[]): void;
  addEventListener(type: 'online', listener: () => void): void;
  location: { protocol: string; host: string };
}

const SUBPROTOCOL = 'leapmux.relay.v1';

const scope = self as unknown as ThreadScope;
const random: RandomSource = (length) => crypto.getRandomValues(new Uint8Array(length));
const questions = new Questions((message) => tell(message), after);

function connect(events: WireEvents): Wire {
  const scheme = scope.location.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(`${scheme}//${scope.location.host}/ws/relay`, SUBPROTOCOL);
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => events.onOpen();
  socket.onmessage = ({ data }: MessageEvent<unknown>) =>
    // A text message is no outer message; an empty one is not either.
    events.onMessage(data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array(0));
  socket.onclose = () => events.onClose();
  return {
    send: (message) => socket.send(message),
    close: () => socket.close(),
    get bufferedAmount() { return socket.bufferedAmount; },
  };
}

function tell(message: FromThread, transfer: Transferable[] = []): void {
  if (message.kind === 'stream-end') client.forgetStream(message.id);
  scope.postMessage(message, transfer);
}

function after(milliseconds: number, call: () => void): () => void {
  const timer = setTimeout(call, milliseconds);
  return () => clearTimeout(timer);
}

const knownWords = new Map<string, string>();
function words(publicKey: Bytes): string {
  const name = bytesToHex(publicKey);
  const made = knownWords.get(name) ?? fingerprint(publicKey);
  knownWords.set(name, made);
  return made;
}

const database = once((forget) => openDatabase(indexedDB, forget));
const pins = async () => new PinStore(await database());
const granted = async () => new GrantedStore(await database());
const registrations = async () => new RegistrationStore(await database());
const device: () => Promise<DeviceKey> = once(async () => loadDevice(await database(), crypto.subtle, random));

const client = new Client({
  connect, parameters: fetchParameters, certificates: fetchCertificates, pins, registrations, granted, device, words, trust: (question) => questions.ask(question), tell,
  random, now: () => performance.now(), date: () => Date.now(), after,
});

scope.onmessage = ({ data }) => {
  if (data.kind === 'trust-answer') questions.answer(data.id, data.answer);
  else client.receive(data);
};
scope.addEventListener('online', () => client.online());
