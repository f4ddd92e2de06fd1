import { expect, test } from 'vitest';
import type { AuthMode, Provider } from '../wire';
import { blankSecrets, formOf, initialValues, visibleFields } from './fields';

const provider = (auth_mode: AuthMode, more: Partial<Provider> = {}): Provider => ({
  name: 'acme',
  display_name: 'Acme',
  auth_mode,
  ...more,
});
const ids = (made: Provider, ...rest: [Parameters<typeof formOf>[1]?]) =>
  formOf(made, ...rest).fields.map((f) => f.id);

test.each<[AuthMode, string[]]>([
  ['API_KEY', ['credential.apiKey']],
  ['BASIC', ['credential.username', 'credential.password']],
  ['SIGNATURE', ['credential.username', 'credential.password']],
  [
    'BILL',
    ['credential.username', 'credential.password', 'credential.organization_id', 'credential.dev_key'],
  ],
  ['TBA', ['credential.token_id', 'credential.token_secret']],
  ['OAUTH2_CC', ['credential.client_id', 'credential.client_secret']],
  ['AWS_SIGV4', ['credential.role_arn', 'credential.region']],
  ['NONE', []],
  ['OAUTH1', []],
  ['OAUTH2', []],
  ['APP', []],
  ['CUSTOM', []],
  ['MCP_OAUTH2', []],
  ['MCP_OAUTH2_GENERIC', []],
  ['INSTALL_PLUGIN', []],
])('%s asks for its usual fields when the entry declares none', (mode, expected) => {
  expect(ids(provider(mode))).toEqual(expected);
});

test.each<AuthMode>(['TWO_STEP', 'JWT'])('%s asks for what the entry declares', (mode) => {
  const made = provider(mode, { credentials: { issuerId: {}, privateKey: { secret: true } } });
  expect(ids(made)).toEqual(['credential.issuerId', 'credential.privateKey']);
});

test('only a two-step login has inputs that are used once', () => {
  const once = { assertion_option: { code: {} } };
  expect(ids(provider('TWO_STEP', once))).toEqual(['once.code']);
  expect(ids(provider('API_KEY', once))).toEqual(['credential.apiKey']);
});

test('a client with a certificate or a signing key is asked for it', () => {
  expect(ids(provider('OAUTH2_CC', { require_client_certificate: true }))).toContain(
    'credential.client_certificate',
  );
  expect(ids(provider('OAUTH2_CC', { token_request_auth_method: 'private_key_jwt' }))).toEqual([
    'credential.client_id',
    'credential.client_private_key',
  ]);
});

test('the entry describes a usual field, and cannot make a secret public', () => {
  const form = formOf(provider('API_KEY', { credentials: { apiKey: { title: 'Token', secret: false } } }));
  expect(form.fields[0]).toMatchObject({ title: 'Token', secret: true, required: true });
});

test('a field the entry describes is as optional as the entry says', () => {
  const form = formOf(provider('BASIC', { credentials: { username: { title: 'API key' } } }));
  expect(form.fields.map((f) => [f.name, f.required])).toEqual([
    ['username', true],
    ['password', false],
  ]);
});

test('automated fields are not asked, hidden ones are sent with their default only', () => {
  const form = formOf(
    provider('BASIC', {
      connection_config: { host: { automated: true } },
      credentials: { username: { hidden: true, default_value: 'api' }, password: { secret: true } },
    }),
  );
  expect(form.fields.map((f) => f.id)).toEqual(['credential.password']);
  expect(form.fixed).toEqual({ 'credential.username': 'api' });
});

test('what the session presets is not asked', () => {
  const made = provider('OAUTH2', { connection_config: { subdomain: {}, region: {} } });
  expect(ids(made, { preset: { subdomain: 'acme' } })).toEqual(['config.region']);
});

test('a reconnection may leave the stored config as it is, but not the credential', () => {
  const made = provider('API_KEY', { connection_config: { region: { default_value: 'eu' } } });
  const [region, key] = formOf(made, { reconnecting: true }).fields;
  expect(region).toMatchObject({ required: false, initial: '' });
  expect(key).toMatchObject({ required: true });
});

test('fields come in their order, the others as declared', () => {
  const made = provider('OAUTH2', { connection_config: { b: {}, c: { order: 2 }, a: { order: 1 } } });
  expect(ids(made)).toEqual(['config.a', 'config.c', 'config.b']);
});

const dependent = provider('OAUTH2', {
  connection_config: {
    kind: { enum: ['cloud', 'own'], default_value: 'cloud' },
    host: { visible_when: { field: 'kind', equals: 'own' } },
    port: { visible_when: { field: 'host', equals: ['a', 'b'] } },
  },
});

test('a dependent field is visible with the right value of one that is visible itself', () => {
  const form = formOf(dependent);
  const seen = (values: Record<string, string>) => visibleFields(form, values).map((f) => f.name);
  expect(seen(initialValues(form))).toEqual(['kind']);
  expect(seen({ 'config.kind': 'own' })).toEqual(['kind', 'host']);
  expect(seen({ 'config.kind': 'own', 'config.host': 'b' })).toEqual(['kind', 'host', 'port']);
  expect(seen({ 'config.kind': 'cloud', 'config.host': 'b' })).toEqual(['kind']);
});

test('a preset value decides what is visible, too', () => {
  const form = formOf(dependent, { preset: { kind: 'own' } });
  expect(visibleFields(form, {}).map((f) => f.name)).toEqual(['host']);
});

test('fields that wait for each other are never visible, nor endless', () => {
  const made = provider('OAUTH2', {
    connection_config: {
      a: { visible_when: { field: 'b', equals: '' } },
      b: { visible_when: { field: 'a', equals: '' } },
    },
  });
  expect(visibleFields(formOf(made), {})).toEqual([]);
});

test('long keys have several lines, short ones with a pattern do not', () => {
  const made = provider('JWT', { credentials: { privateKey: {}, private_key: { pattern: '^[0-9a-f]+$' } } });
  expect(formOf(made).fields.map((f) => f.lines)).toEqual([true, false]);
});

test('only secrets are forgotten', () => {
  const form = formOf(provider('BASIC'));
  expect(blankSecrets(form)).toEqual({ 'credential.password': '' });
});
