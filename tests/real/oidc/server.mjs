// A certified OpenID provider with 5 s access tokens, rotation and reuse detection: node server.mjs PORT CALLBACK JWKS
// Where a proof of possession is sent (DPoP) it demands a nonce of its own; client `keyed` signs with a key of JWKS.
import crypto from 'node:crypto';
import http from 'node:http';
import Provider from 'oidc-provider';

const [port, callback, jwks] = process.argv.slice(2);
const stats = { refreshed: 0, revoked: 0, pushed: 0, errors: [] };
const deviceCode = 'urn:ietf:params:oauth:grant-type:device_code';
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: 'app',
      client_secret: 'app-secret-0123456789',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [callback],
      token_endpoint_auth_method: 'client_secret_post',
    },
    {
      client_id: 'machine',
      client_secret: 'machine-secret-0123456789',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    },
    {
      client_id: 'bound',
      client_secret: 'bound-secret-0123456789',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [callback],
      token_endpoint_auth_method: 'client_secret_basic',
      dpop_bound_access_tokens: true,
      require_pushed_authorization_requests: true,
    },
    {
      client_id: 'keyed',
      grant_types: ['authorization_code', 'refresh_token', 'client_credentials', deviceCode],
      redirect_uris: [callback],
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      require_pushed_authorization_requests: true,
      jwks: JSON.parse(jwks ?? '{"keys":[]}'),
    },
    {
      client_id: 'television',
      grant_types: [deviceCode, 'refresh_token'],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: 'none',
    },
  ],
  pkce: { required: () => true },
  features: {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    dPoP: { enabled: true, nonceSecret: crypto.randomBytes(32), requireNonce: () => true },
    introspection: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
    revocation: { enabled: true },
  },
  issueRefreshToken: async () => true,
  rotateRefreshToken: () => true,
  ttl: {
    AccessToken: () => 5, ClientCredentials: () => 5, DeviceCode: () => 600, Grant: () => 3600,
    RefreshToken: () => 3600, Session: () => 3600, Interaction: () => 600,
  },
  findAccount: async (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  cookies: { keys: ['only for tests'] },
});
provider.on('grant.success', (ctx) => {
  if (ctx.oidc.params?.grant_type === 'refresh_token') stats.refreshed += 1;
});
provider.on('grant.revoked', () => { stats.revoked += 1; });
provider.on('pushed_authorization_request.success', () => { stats.pushed += 1; });
for (const event of ['grant.error', 'pushed_authorization_request.error', 'device_authorization.error', 'userinfo.error', 'introspection.error']) {
  provider.on(event, (ctx, error) => { stats.errors.push(`${error.error}: ${error.error_detail ?? ''}`); });
}
const handle = provider.callback();
http.createServer((request, response) => {
  if (request.url === '/stats') {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(stats));
    return;
  }
  handle(request, response);
}).listen(Number(port), '127.0.0.1', () => { console.log('ready'); });
