/** From a filled-in form to the call that makes the connection: which endpoint, which body. Nothing typed is in an address. */

import type { AuthMode, Provider } from '../wire';
import {
  type Form,
  type FormField,
  idOf,
  type Part,
  REDIRECTING,
  type Values,
  visibleFields,
} from './fields';

export interface Call {
  /** `popup`: the person goes to the provider; `post`: what was typed goes to the server; `device`: a code is shown. */
  kind: 'popup' | 'post' | 'device';
  path: string;
  body: Record<string, unknown>;
}

type Posting = Exclude<
  AuthMode,
  'OAUTH1' | 'OAUTH2' | 'APP' | 'CUSTOM' | 'MCP_OAUTH2' | 'MCP_OAUTH2_GENERIC' | 'INSTALL_PLUGIN'
>;

const ENDPOINTS: Record<Posting, string> = {
  API_KEY: 'api-auth/api-key',
  BASIC: 'api-auth/basic',
  OAUTH2_CC: 'oauth2/auth',
  TBA: 'auth/tba',
  TWO_STEP: 'auth/two-step',
  JWT: 'auth/jwt',
  BILL: 'auth/bill',
  AWS_SIGV4: 'auth/aws-sigv4',
  SIGNATURE: 'auth/signature',
  NONE: 'auth/unauthenticated',
};
/** Modes whose body says which it is. */
const TYPED = new Set<AuthMode>(['TWO_STEP', 'AWS_SIGV4', 'SIGNATURE']);

export function callOf(provider: Provider, uniqueKey: string, form: Form, values: Values): Call {
  const given = collect(form, values);
  const key = encodeURIComponent(uniqueKey);
  const config = objectOf('connection_config', given.config);
  if (byStore(provider)) return { kind: 'post', path: `auth/oauth-outbound/${key}`, body: config };
  const mode = provider.auth_mode;
  if (isPosting(mode)) {
    return { kind: 'post', path: `${ENDPOINTS[mode]}/${key}`, body: { ...bodyOf(mode, given), ...config } };
  }
  const body = { ...config, ...objectOf('credentials', given.credential) };
  if (byDevice(provider)) return { kind: 'device', path: `oauth/device/${key}`, body };
  return { kind: 'popup', path: `oauth/connect/${key}`, body };
}

/** Where there is no page to agree on, the person types a code in on another device. */
export const byDevice = (provider: Provider): boolean =>
  provider.auth_mode === 'OAUTH2' && !provider.authorization_url && !!provider.device_authorization_url;

/** Where the person installs our app in the provider's store, now or later: the connection waits for that. */
export const byStore = (provider: Provider): boolean => provider.installation !== undefined;

const isPosting = (mode: AuthMode): mode is Posting => !REDIRECTING.has(mode);

function bodyOf(mode: Posting, given: Given): Record<string, unknown> {
  const body: Record<string, unknown> = { ...Object.fromEntries(given.credential) };
  if (mode === 'BASIC') return { username: '', password: '', ...body };
  if (TYPED.has(mode)) body.type = mode;
  if (mode === 'TWO_STEP' && given.once.length > 0) body.assertionOption = Object.fromEntries(given.once);
  return body;
}

/** Under its name, or nothing where nothing is given. */
const objectOf = (name: string, given: [string, string][]): Record<string, unknown> =>
  given.length > 0 ? { [name]: Object.fromEntries(given) } : {};

type Given = Record<Part, [string, string][]>;

/** What is sent: the visible fields that hold something, and what is fixed. */
function collect(form: Form, values: Values): Given {
  const given: Given = { config: [], credential: [], once: [] };
  for (const [id, value] of Object.entries(form.fixed)) {
    const at = id.indexOf('.');
    given[id.slice(0, at) as Part].push([id.slice(at + 1), value]);
  }
  for (const field of visibleFields(form, values)) {
    const value = cleaned(field, values[field.id] ?? '');
    if (value !== '') given[field.part].push([field.name, value]);
  }
  return given;
}

/** Without the blanks a paste brings along (a password may begin or end with one), and without what stands around it. */
export function cleaned(field: FormField, value: string): string {
  if (field.name === 'password') return value;
  let text = value.trim();
  if (field.part !== 'config') return text;
  if (field.prefix && text.startsWith(field.prefix)) text = text.slice(field.prefix.length);
  if (field.suffix && text.endsWith(field.suffix)) text = text.slice(0, -field.suffix.length);
  return text;
}

/** The field a complaint of the server is about. */
export function fieldOf(form: Form, path: (string | number)[] | undefined): string | undefined {
  const [group, name] = path ?? [];
  const part: Part = group === 'params' ? 'config' : 'credential';
  const wanted = idOf(part, String(name ?? group ?? ''));
  return form.fields.find((f) => f.id === wanted)?.id;
}
