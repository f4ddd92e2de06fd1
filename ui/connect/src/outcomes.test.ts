import { expect, test } from 'vitest';
import { ApiError, readError } from './api';
import en from './i18n/en';
import { callbackOutcome } from './popup';
import { problemOf, problemOfError } from './problems';
import { mayEmbed } from './protocol';
import { outcomeOf, socketUrl } from './socket';

test('the socket stands where the server says, else at its root', () => {
  expect(socketUrl(new URL('https://a.example/x/'), undefined).href).toBe('wss://a.example/x/');
  expect(socketUrl(new URL('http://a.example:3003/'), '/sockets').href).toBe('ws://a.example:3003/sockets');
});

test('what the socket says of the end', () => {
  expect(outcomeOf({ message_type: 'connection_ack', ws_client_id: 'w' })).toBeNull();
  expect(
    outcomeOf({ message_type: 'success', provider_config_key: 'k', connection_id: 'c', is_pending: true }),
  ).toEqual({
    ok: true,
    connected: { providerConfigKey: 'k', connectionId: 'c', isPending: true },
  });
  expect(outcomeOf({ message_type: 'error', error_type: 'state_err', error_desc: 'late' })).toEqual({
    ok: false,
    code: 'state_err',
    message: 'late',
  });
});

test('what the callback page says of the end', () => {
  expect(callbackOutcome(undefined)).toBeNull();
  expect(callbackOutcome({ type: 'nango_oauth_callback_success' })).toBeNull();
  const payload = { connectionId: 'c', providerConfigKey: 'k', wsClientId: 'w' };
  expect(callbackOutcome({ type: 'nango_oauth_callback_success', payload })).toEqual({
    ok: true,
    connected: { connectionId: 'c', providerConfigKey: 'k' },
  });
  expect(
    callbackOutcome({ type: 'nango_oauth_callback_error', payload: { errorType: 'e', message: 'm' } }),
  ).toEqual({
    ok: false,
    code: 'e',
    message: 'm',
  });
});

test.each([
  ['connection_test_failed', en.errorTest('Acme'), true],
  ['connection_validation_failed', en.errorValidation, false],
  ['invalid_credentials', en.errorInvalid, true],
  ['integration_not_allowed', en.errorNotAllowed, false],
  ['resource_capped', en.errorCapped, false],
  ['state_err', en.errorState, false],
  ['offline', en.errorOffline, false],
  ['never heard of', en.errorUnknown, false],
])('%s has a sentence', (code, sentence, typed) => {
  expect(problemOf(code, 'said', en, 'Acme')).toMatchObject({ sentence, typed });
});

test('a refusal by the person is not blamed on the provider', () => {
  const message = 'The provider refused the authorization (`access_denied`).';
  expect(problemOf('callback_err', message, en, 'Acme').sentence).toBe(en.errorDenied('Acme'));
});

test('an error that nobody foresaw shows no inner detail', () => {
  expect(problemOfError(new TypeError('x is undefined'), en, 'Acme')).toMatchObject({ detail: '' });
});

test('an answer that is no envelope is still an error', () => {
  expect(readError(502, '<html>')).toMatchObject({ code: 'unknown_error', status: 502 });
  const error = readError(400, {
    error: { code: 'invalid_body', errors: [{ message: 'm', path: ['a'] }, 'odd'] },
  });
  expect(error).toMatchObject({
    code: 'invalid_body',
    message: 'm',
    issues: [{ message: 'm', path: ['a'] }],
  });
  expect(new ApiError('x', '', 401).sessionOver).toBe(true);
});

test('an environment may name who embeds the page', () => {
  const named = { allowed_embedding_origins: ['https://app.example.com'] };
  expect(mayEmbed({}, true, null)).toBe(true);
  expect(mayEmbed(named, false, null)).toBe(true);
  expect(mayEmbed(named, true, null)).toBe(false);
  expect(mayEmbed(named, true, 'https://evil.example')).toBe(false);
  expect(mayEmbed(named, true, 'https://app.example.com')).toBe(true);
});
