import { expect, test } from 'vitest';
import type { AuthMode, FieldSpecs, Provider } from '../wire';
import { formOf, initialValues } from './fields';
import { callOf, fieldOf } from './request';

function call(
  auth_mode: AuthMode,
  values: Record<string, string>,
  more: Partial<Provider> = {},
  key = 'my-key',
) {
  const provider: Provider = { name: 'acme', display_name: 'Acme', auth_mode, ...more };
  return callOf(provider, key, formOf(provider), values);
}

test.each<[AuthMode, Record<string, string>, string, unknown, FieldSpecs?]>([
  ['API_KEY', { 'credential.apiKey': ' k \n' }, 'api-auth/api-key', { apiKey: 'k' }],
  ['BASIC', { 'credential.username': 'u' }, 'api-auth/basic', { username: 'u', password: '' }],
  [
    'OAUTH2_CC',
    { 'credential.client_id': 'i', 'credential.client_secret': 's' },
    'oauth2/auth',
    { client_id: 'i', client_secret: 's' },
  ],
  [
    'TBA',
    { 'credential.token_id': 'i', 'credential.token_secret': 's' },
    'auth/tba',
    { token_id: 'i', token_secret: 's' },
  ],
  [
    'BILL',
    {
      'credential.username': 'u',
      'credential.password': 'p',
      'credential.organization_id': 'o',
      'credential.dev_key': 'd',
    },
    'auth/bill',
    { username: 'u', password: 'p', organization_id: 'o', dev_key: 'd' },
  ],
  [
    'AWS_SIGV4',
    { 'credential.role_arn': 'arn', 'credential.region': '' },
    'auth/aws-sigv4',
    { type: 'AWS_SIGV4', role_arn: 'arn' },
  ],
  [
    'SIGNATURE',
    { 'credential.username': 'u', 'credential.password': 'p' },
    'auth/signature',
    { type: 'SIGNATURE', username: 'u', password: 'p' },
  ],
  ['JWT', { 'credential.privateKey': 'k' }, 'auth/jwt', { privateKey: 'k' }, { privateKey: {} }],
  ['NONE', {}, 'auth/unauthenticated', {}],
])('%s goes to its endpoint', (mode, values, path, body, credentials) => {
  expect(call(mode, values, { credentials })).toEqual({
    kind: 'post',
    path: `${path}/my-key`,
    body,
  });
});

test('a two-step login sends what is used once apart', () => {
  const more = { credentials: { user: {} }, assertion_option: { code: {} } };
  expect(call('TWO_STEP', { 'credential.user': 'u', 'once.code': '7' }, more).body).toEqual({
    type: 'TWO_STEP',
    user: 'u',
    assertionOption: { code: '7' },
  });
  expect(call('TWO_STEP', { 'credential.user': 'u' }, more).body).toEqual({ type: 'TWO_STEP', user: 'u' });
});

test.each<AuthMode>([
  'OAUTH1',
  'OAUTH2',
  'APP',
  'CUSTOM',
  'MCP_OAUTH2',
  'MCP_OAUTH2_GENERIC',
  'INSTALL_PLUGIN',
])('%s opens a window, its config in the body', (mode) => {
  const more = { connection_config: { subdomain: { suffix: '.acme.com' } } };
  expect(call(mode, { 'config.subdomain': 'one.acme.com' }, more, 'a key/x')).toEqual({
    kind: 'popup',
    path: 'oauth/connect/a%20key%2Fx',
    body: { connection_config: { subdomain: 'one' } },
  });
});

test('an own developer app goes along with the authorization', () => {
  const more = { credentials: { oauth_client_id_override: {}, unrelated: {} } };
  expect(call('OAUTH2', { 'credential.oauth_client_id_override': 'mine' }, more).body).toEqual({
    credentials: { oauth_client_id_override: 'mine' },
  });
});

test('an app that is installed in the store of the provider is waited for', () => {
  const more = { installation: { webhook: {} }, connection_config: { shop: {} } };
  expect(call('OAUTH2', { 'config.shop': 'acme' }, more)).toEqual({
    kind: 'post',
    path: 'auth/oauth-outbound/my-key',
    body: { connection_config: { shop: 'acme' } },
  });
});

test('what is not visible is not sent', () => {
  const more = { connection_config: { kind: {}, host: { visible_when: { field: 'kind', equals: 'own' } } } };
  expect(call('NONE', { 'config.kind': 'cloud', 'config.host': 'left over' }, more).body).toEqual({
    connection_config: { kind: 'cloud' },
  });
});

test('a reconnect shows what is stored; what is blank is not sent, so that it stays', () => {
  const provider: Provider = {
    name: 'acme',
    display_name: 'Acme',
    auth_mode: 'NONE',
    connection_config: { region: {}, pin: { secret: true } },
  };
  const form = formOf(provider, { reconnecting: true, stored: { region: 'eu' } });
  expect(initialValues(form)).toEqual({ 'config.region': 'eu', 'config.pin': '' });
  expect(callOf(provider, 'k', form, initialValues(form)).body).toEqual({
    connection_config: { region: 'eu' },
  });
  expect(callOf(provider, 'k', form, { 'config.region': '', 'config.pin': '' }).body).toEqual({});
});

test('blanks around a password are part of it', () => {
  expect(call('BASIC', { 'credential.username': ' u ', 'credential.password': ' p ' }).body).toEqual({
    username: 'u',
    password: ' p ',
  });
});

test('a complaint of the server finds its field', () => {
  const form = formOf({
    name: 'a',
    display_name: 'A',
    auth_mode: 'API_KEY',
    connection_config: { region: {} },
  });
  expect(fieldOf(form, ['params', 'region'])).toBe('config.region');
  expect(fieldOf(form, ['credentials', 'apiKey'])).toBe('credential.apiKey');
  expect(fieldOf(form, ['apiKey'])).toBe('credential.apiKey');
  expect(fieldOf(form, ['elsewhere'])).toBeUndefined();
  expect(fieldOf(form, undefined)).toBeUndefined();
});

test('a provider without a page to agree on gives a code, one with a page opens it', () => {
  const device = { device_authorization_url: 'https://tv.example/device' };
  const page = { ...device, authorization_url: 'https://tv.example/authorize' };

  expect(call('OAUTH2', {}, device)).toMatchObject({ kind: 'device', path: 'oauth/device/my-key' });
  expect(call('OAUTH2', {}, page)).toMatchObject({ kind: 'popup', path: 'oauth/connect/my-key' });
});
