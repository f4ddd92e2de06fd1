/** From an error's code to a sentence a person understands, and what they can do. */

import { ApiError } from './api';
import type { Words } from './i18n';

export interface Problem {
  code: string;
  /** One clear sentence in the person's language. */
  sentence: string;
  /** What the server says, in its own words; it names details that no translation can. */
  detail: string;
  /** Whether it is about what was typed. */
  typed: boolean;
}

type Sentence = (words: Words, name: string) => string;

const refused: Sentence = (words, name) => words.errorTest(name);
const invalid: Sentence = (words) => words.errorInvalid;
const provider: Sentence = (words, name) => words.errorProvider(name);
const setup: Sentence = (words) => words.errorSetup;
const state: Sentence = (words) => words.errorState;

const TYPED: Record<string, Sentence> = {
  connection_test_failed: refused,
  client_credentials_fetch_error: refused,
  two_step_credentials_fetch_error: refused,
  aws_sigv4_sts_request_failed: refused,
  invalid_credentials: invalid,
  invalid_connection: invalid,
  invalid_body: invalid,
  invalid_query_params: invalid,
};

const OTHERS: Record<string, Sentence> = {
  connection_validation_failed: (words) => words.errorValidation,
  request_token_external_error: provider,
  refresh_token_external_error: provider,
  token_err: provider,
  callback_err: provider,
  expired_token: (words) => words.errorCodeExpired,
  device_authorization_err: provider,
  pushed_authorization_err: provider,
  access_denied: (words, name) => words.errorDenied(name),
  integration_not_allowed: (words) => words.errorNotAllowed,
  resource_capped: (words) => words.errorCapped,
  offline: (words) => words.errorOffline,
  too_many_request: (words) => words.errorBusy,
  state_err: state,
  state_cookie_err: state,
  unknown_provider_config: setup,
  unknown_provider_template: setup,
  provider_config_err: setup,
  unknown_config_key: setup,
  invalid_auth_mode: setup,
  auth_mode_err: setup,
};

export function problemOf(code: string, message: string, words: Words, name: string): Problem {
  const typed = TYPED[code];
  const denied = code === 'callback_err' && message.includes('`access_denied`');
  const sentence = typed ?? OTHERS[denied ? 'access_denied' : code] ?? (() => words.errorUnknown);
  const detail = code === 'offline' || code === 'too_many_request' ? '' : message;
  return { code, sentence: sentence(words, name), detail, typed: typed !== undefined };
}

export const problemOfError = (error: unknown, words: Words, name: string): Problem =>
  error instanceof ApiError
    ? problemOf(error.code, error.message, words, name)
    : problemOf('unknown_error', '', words, name);
