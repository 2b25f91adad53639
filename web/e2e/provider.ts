/** An OpenID provider on loopback: it asks a person once, and signs what it says of them (ES256). */

import { createHash, createSign, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Account {
  sub: string;
  email: string;
  name: string;
}

interface Asked {
  account: Account;
  nonce: string;
  challenge: string;
}

export class Provider {
  /** By another name than the Hub's address, so that it is another site. */
  readonly issuer: string;
  readonly clientId = 'leapmux-e2e';
  readonly secret = randomBytes(24).toString('base64url');
  private readonly asked = new Map<string, Asked>();
  private readonly keys: { privateKey: KeyObject; publicKey: KeyObject };

  private constructor(private readonly server: Server, public account: Account) {
    this.issuer = `http://localhost:${(server.address() as AddressInfo).port}`;
    this.keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  }

  static async start(account: Account): Promise<Provider> {
    const server = createServer();
    await new Promise<void>((ready) => server.listen(0, 'localhost', ready));
    const provider = new Provider(server, account);
    server.on('request', (request, response) => {
      void provider.answer(request).then(([type, body]) => {
        response.writeHead(200, { 'content-type': type });
        response.end(body);
      }, (error: unknown) => response.writeHead(400).end(String(error)));
    });
    return provider;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  private async answer(request: IncomingMessage): Promise<[string, string]> {
    const url = new URL(request.url ?? '/', this.issuer);
    const json = (value: object): [string, string] => ['application/json', JSON.stringify(value)];
    switch (url.pathname) {
      case '/.well-known/openid-configuration': return json(this.metadata());
      case '/jwks': return json({ keys: [{ ...this.keys.publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256', use: 'sig' }] });
      case '/authorise': return ['text/html', this.question(url.searchParams)];
      case '/token': return json(this.token(new URLSearchParams(await bodyOf(request))));
      default: throw new Error(`nothing at ${url.pathname}`);
    }
  }

  private metadata(): object {
    return {
      issuer: this.issuer,
      authorization_endpoint: `${this.issuer}/authorise`,
      token_endpoint: `${this.issuer}/token`,
      jwks_uri: `${this.issuer}/jwks`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    };
  }

  private question(query: URLSearchParams): string {
    const code = randomBytes(16).toString('base64url');
    if (query.get('client_id') !== this.clientId || query.get('code_challenge_method') !== 'S256') throw new Error('a strange client');
    this.asked.set(code, { account: this.account, nonce: query.get('nonce') ?? '', challenge: query.get('code_challenge') ?? '' });
    const back = new URL(query.get('redirect_uri') ?? '');
    back.searchParams.set('code', code);
    back.searchParams.set('state', query.get('state') ?? '');
    return `<!doctype html><title>Provider</title><h1>${this.account.name}?</h1><a href="${back.href.replaceAll('&', '&amp;')}">Yes</a>`;
  }

  private token(form: URLSearchParams): object {
    const asked = this.asked.get(form.get('code') ?? '');
    const verifier = createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url');
    if (asked === undefined || verifier !== asked.challenge) throw new Error('no such code');
    this.asked.delete(form.get('code') ?? '');
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: this.issuer, aud: this.clientId, iat: now, exp: now + 300, nonce: asked.nonce,
      sub: asked.account.sub, email: asked.account.email, email_verified: true, name: asked.account.name,
    };
    return { access_token: randomBytes(16).toString('base64url'), token_type: 'Bearer', expires_in: 3600, id_token: this.signed(claims) };
  }

  private signed(claims: object): string {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const body = `${part({ alg: 'ES256', kid: 'one', typ: 'JWT' })}.${part(claims)}`;
    const signature = createSign('SHA256').update(body).sign({ key: this.keys.privateKey, dsaEncoding: 'ieee-p1363' });
    return `${body}.${signature.toString('base64url')}`;
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
