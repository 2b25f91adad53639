/** What admins of the Hub ask and order. Each throws what the Hub refused. */

import * as wire from '../gen/leapmux/v1/administration_pb';
import { SetQuotasRequestSchema, SetQuotasResponseSchema } from '../gen/leapmux/v1/organisations_pb';
import { rpc } from '../hub/rpc';

const PAGE = 50;

export function listUsers(search: string, after: string): Promise<wire.ListUsersResponse> {
  return rpc('AdministrationService/ListUsers', wire.ListUsersRequestSchema, { search, after, limit: PAGE }, wire.ListUsersResponseSchema);
}

export interface NewUser {
  username: string;
  displayName: string;
  email: string;
  password: string;
  admin: boolean;
}

export async function createUser(user: NewUser): Promise<void> {
  await rpc('AdministrationService/CreateUser', wire.CreateUserRequestSchema, user, wire.CreateUserResponseSchema);
}

export async function setDisabled(userId: string, disabled: boolean): Promise<void> {
  await rpc('AdministrationService/SetUserDisabled', wire.SetUserDisabledRequestSchema, { userId, disabled }, wire.SetUserDisabledResponseSchema);
}

export async function setAdmin(userId: string, admin: boolean): Promise<void> {
  await rpc('AdministrationService/SetUserAdmin', wire.SetUserAdminRequestSchema, { userId, admin }, wire.SetUserAdminResponseSchema);
}

export async function setPassword(userId: string, password: string): Promise<void> {
  await rpc('AdministrationService/SetUserPassword', wire.SetUserPasswordRequestSchema, { userId, password }, wire.SetUserPasswordResponseSchema);
}

export async function deleteUser(userId: string, username: string): Promise<void> {
  await rpc('AdministrationService/DeleteUser', wire.DeleteUserRequestSchema, { userId, username }, wire.DeleteUserResponseSchema);
}

/** Resolves to how many logins and tokens ended. */
export async function forceLogout(userId: string): Promise<number> {
  return (await rpc('AdministrationService/ForceLogout', wire.ForceLogoutRequestSchema, { userId }, wire.ForceLogoutResponseSchema)).revoked;
}

export function listOrganisations(after: string): Promise<wire.ListAllOrganisationsResponse> {
  return rpc('AdministrationService/ListAllOrganisations', wire.ListAllOrganisationsRequestSchema, { after, limit: PAGE }, wire.ListAllOrganisationsResponseSchema);
}

export interface NewQuotas {
  members: number;
  workers: number;
  channels: number;
  bytesPerSecond: bigint;
}

/** `undefined`: the Hub's defaults again. */
export async function setQuotas(organisationId: string, quotas: NewQuotas | undefined): Promise<void> {
  await rpc('OrganisationService/SetQuotas', SetQuotasRequestSchema, { organisationId, quotas }, SetQuotasResponseSchema);
}

export function listWorkers(after: string): Promise<wire.ListAllWorkersResponse> {
  return rpc('AdministrationService/ListAllWorkers', wire.ListAllWorkersRequestSchema, { after, limit: PAGE }, wire.ListAllWorkersResponseSchema);
}

/** Resolves to whether the Worker itself has heard of it. */
export async function deregisterWorker(workerId: string): Promise<boolean> {
  return (await rpc('AdministrationService/ForceDeregisterWorker', wire.ForceDeregisterWorkerRequestSchema, { workerId }, wire.ForceDeregisterWorkerResponseSchema)).confirmed;
}

export async function listRegistrationKeys(): Promise<wire.RegistrationKeyAccount[]> {
  return (await rpc('AdministrationService/ListRegistrationKeys', wire.ListRegistrationKeysRequestSchema, {}, wire.ListRegistrationKeysResponseSchema)).keys;
}

export async function revokeRegistrationKey(keyId: string): Promise<void> {
  await rpc('AdministrationService/RevokeRegistrationKeyById', wire.RevokeRegistrationKeyByIdRequestSchema, { keyId }, wire.RevokeRegistrationKeyByIdResponseSchema);
}

export async function listChannels(): Promise<wire.OpenChannel[]> {
  return (await rpc('AdministrationService/ListChannels', wire.ListChannelsRequestSchema, {}, wire.ListChannelsResponseSchema)).channels;
}

export function getSettings(): Promise<wire.HubSettings> {
  return rpc('AdministrationService/GetSettings', wire.GetSettingsRequestSchema, {}, wire.HubSettingsSchema);
}

export function updateSettings(signUpOpen: boolean): Promise<wire.HubSettings> {
  return rpc('AdministrationService/UpdateSettings', wire.UpdateSettingsRequestSchema, { signUpOpen }, wire.HubSettingsSchema);
}
