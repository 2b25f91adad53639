// What the page has done with keys that never leave this thread: registrations, grants, the
// introduction of another device of the same person.

import { create, toBinary } from '@bufbuild/protobuf';
import { deviceTag } from '../crypto/registration';
import { type Label, type SignedParts, deviceAlgorithm } from '../crypto/signed';
import type { Mode } from '../crypto/mode';
import { type Bytes, identifier } from '../crypto/wire';
import { DeviceCertificateSchema, GrantCertificateSchema, SignedSchema } from '../gen/leapmux/v1/channel_pb';
import { base64url } from './base64url';
import type { DeviceToSign, GrantToSign, KeyWork, RegistrationMade } from './door';
import type { Surroundings } from './surroundings';

const SECRET_LEN = 32;
const ID_LEN = 16;

type Worker<K extends keyof KeyWork> = (surroundings: Surroundings, asked: KeyWork[K]['asked']) => Promise<KeyWork[K]['answer']>;

/** Does one piece of it. */
export function work<K extends keyof KeyWork>(surroundings: Surroundings, kind: K, asked: KeyWork[K]['asked']): Promise<KeyWork[K]['answer']> {
  return (WORKERS[kind] as Worker<K>)(surroundings, asked);
}

const WORKERS: { [K in keyof KeyWork]: Worker<K> } = {
  'begin-registration': beginRegistration,
  'forget-registration': async ({ registrations }, { registrationId }) => (await registrations()).forget(registrationId),
  'own-device': async ({ device, words }, { mode }) => {
    const key = (await device()).publicKey(mode);
    return { algorithm: deviceAlgorithm(mode), key, words: words(key) };
  },
  words: async ({ words }, { key }) => words(key as Bytes),
  'sign-grants': async (surroundings, { mode, grants, acted }) => {
    const [store, signed] = [await surroundings.granted(), [] as (Uint8Array | undefined)[]];
    for (const grant of grants) {
      const admitted = await store.admit(grant, acted);
      signed.push(admitted && await signGrant(surroundings, mode, admitted));
    }
    return signed;
  },
  'signed-grants': async (surroundings, { workerId }) => (await surroundings.granted()).at(workerId),
  'sign-device': signDevice,
};

/** The secret is kept before anybody can see it: a Worker that is quick must not come too early. */
async function beginRegistration(surroundings: Surroundings, { userId, mode }: { userId: string; mode: Mode }): Promise<RegistrationMade> {
  const { random, date, device, registrations } = surroundings;
  const [registrationId, secret] = [base64url(random(ID_LEN)), random(SECRET_LEN)];
  const deviceKey = (await device()).publicKey(mode);
  const algorithm = deviceAlgorithm(mode);
  const tag = deviceTag(secret, registrationId, userId, algorithm, deviceKey);
  await (await registrations()).keep({ id: registrationId, secret, made: date() });
  return { registrationId, secret: base64url(secret), algorithm, deviceKey, deviceTag: tag };
}

function signGrant(surroundings: Surroundings, mode: Mode, grant: GrantToSign): Promise<Bytes> {
  const body = toBinary(GrantCertificateSchema, create(GrantCertificateSchema, {
    workerId: grant.workerId,
    workspaceId: grant.workspaceId,
    granteeUserId: grant.userId,
    granteeDeviceAlgorithm: deviceAlgorithm(mode),
    granteeDeviceKey: grant.deviceKey,
    role: grant.role,
    serial: grant.serial,
    expiresAt: BigInt(grant.expiresAt),
  }));
  return sign(surroundings, mode, 'leapmux grant v1', grant.workerId, body as Bytes);
}

function signDevice(surroundings: Surroundings, device: DeviceToSign): Promise<Bytes> {
  const body = toBinary(DeviceCertificateSchema, create(DeviceCertificateSchema, {
    userId: device.userId,
    deviceAlgorithm: deviceAlgorithm(device.mode),
    deviceKey: device.key,
    serial: device.serial,
    expiresAt: BigInt(device.expiresAt),
  }));
  return sign(surroundings, device.mode, 'leapmux device v1', device.userId, body as Bytes);
}

async function sign(surroundings: Surroundings, mode: Mode, label: Label, context: string, body: Bytes): Promise<Bytes> {
  const device = await surroundings.device();
  return encoded(await device.sign(mode, label, identifier(context), body, surroundings.random(32)));
}

/** As it travels; nobody encodes the body again. */
export function encoded(parts: SignedParts): Bytes {
  return toBinary(SignedSchema, create(SignedSchema, parts)) as Bytes;
}
