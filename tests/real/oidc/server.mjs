// A certified OpenID provider with 5 s access tokens, rotation and reuse detection: node server.mjs PORT CALLBACK
import http from 'node:http';
import Provider from 'oidc-provider';

const [port, callback] = process.argv.slice(2);
const stats = { refreshed: 0, revoked: 0, errors: [] };
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
  ],
  pkce: { required: () => true },
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
  },
  issueRefreshToken: async () => true,
  rotateRefreshToken: () => true,
  ttl: { AccessToken: () => 5, ClientCredentials: () => 5, Grant: () => 3600, RefreshToken: () => 3600, Session: () => 3600, Interaction: () => 600 },
  findAccount: async (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  cookies: { keys: ['only for tests'] },
});
provider.on('grant.success', (ctx) => {
  if (ctx.oidc.params?.grant_type === 'refresh_token') stats.refreshed += 1;
});
provider.on('grant.revoked', () => { stats.revoked += 1; });
provider.on('grant.error', (ctx, error) => { stats.errors.push(`${error.error}: ${error.error_detail ?? ''}`); });
const handle = provider.callback();
http.createServer((request, response) => {
  if (request.url === '/stats') {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(stats));
    return;
  }
  handle(request, response);
}).listen(Number(port), '127.0.0.1', () => { console.log('ready'); });
