// Connects accounts with the official browser SDK and prints how each attempt ended.
// Standard input: {url, key, token, bare_token, reconnect_token}; standard output: one JSON object. Needs --experimental-websocket.
import { readFileSync } from 'node:fs';
import { installBrowser, lastPopup } from './browser.mjs';

const given = JSON.parse(readFileSync(0, 'utf8'));
const settings = {};
installBrowser(settings);
const { default: Nango, AuthError } = await import('@nangohq/frontend');
const told = {};

async function attempt(name, ask) {
    const late = new Promise((_, reject) => setTimeout(() => reject(new Error('no outcome in 15 s')), 15_000).unref());
    try {
        told[name] = { value: await Promise.race([ask(), late]) };
    } catch (error) {
        told[name] = { known: error instanceof AuthError, type: error.type ?? null, message: error.message };
    }
}

const sdk = (token) => new Nango({ host: given.url, connectSessionToken: token });
const nango = sdk(given.token);

await attempt('api_key', () => nango.auth('web-key', { credentials: { apiKey: 'good' } }));
await attempt('api_key/wrong', () => nango.auth('web-key', { credentials: { apiKey: 'wrong' } }));
await attempt('basic', () => nango.auth('web-basic', { credentials: { username: 'zoë', password: 'pä$$' } }));
await attempt('client_credentials', () =>
    nango.auth('web-cc', { credentials: { client_id: 'id', client_secret: 'secret' } }));
await attempt('two_step', () => nango.auth('web-two-step', { credentials: { type: 'TWO_STEP', user: 'zoë', pin: '1234' } }));
await attempt('none', () => nango.create('web-none'));
await attempt('outbound', () => nango.auth('web-outbound', { installation: 'outbound', credentials: {} }));
await attempt('outbound/typed', () =>
    nango.auth('web-outbound', { installation: 'outbound', credentials: {}, params: { account: 'another' } }));
await attempt('outbound/nobody', () =>
    sdk(given.bare_token).auth('web-outbound', { installation: 'outbound', credentials: {} }));
await attempt('mode', () => nango.auth('web-key', { credentials: { username: 'a', password: 'b' } }));
await attempt('undeclared', () => nango.auth('web-key', { params: { colour: 'rot' }, credentials: { apiKey: 'good' } }));
await attempt('not_allowed', () => nango.auth('web-other', { credentials: { apiKey: 'good' } }));
await attempt('unknown_session', () =>
    sdk(`nango_connect_session_${'0'.repeat(64)}`).auth('web-key', { credentials: { apiKey: 'good' } }));

await attempt('oauth', () => sdk(given.token).auth('web-oauth', { detectClosedAuthWindow: true }));
const made = told.oauth.value?.connectionId;
told.readable = (await fetch(`${given.url}/connections/${made}?provider_config_key=web-oauth`, {
    headers: { authorization: `Bearer ${given.key}` },
})).status;
told.visited = lastPopup().visited.map((url) => new URL(url).pathname);
told.named = new URL(lastPopup().visited[0]).searchParams.has('ws_client_id');
settings.refusing = true;
await attempt('oauth/refused', () => sdk(given.token).auth('web-oauth'));
settings.refusing = false;
await attempt('oauth/missing_field', () => sdk(given.bare_token).auth('web-oauth'));
await attempt('reconnect', () => sdk(given.reconnect_token).reconnect('web-oauth'));

process.stdout.write(JSON.stringify(told), () => process.exit(0)); // a socket left open must not keep us
