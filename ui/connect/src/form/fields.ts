/** From what a provider declares to the fields a person is asked for. */

import type { AuthMode, FieldSpec, FieldSpecs, Provider } from '../wire';

/** `config` goes into the connection's config, `credential` into the credential, `once` is used and not stored. */
export type Part = 'config' | 'credential' | 'once';

export interface FormField {
  id: string;
  part: Part;
  name: string;
  /** Null: the usual field of this name, which this page names itself. */
  title: string | null;
  description?: string;
  example?: string;
  pattern?: string;
  format?: string;
  choices: string[];
  required: boolean;
  secret: boolean;
  lines: boolean;
  initial: string;
  prefix?: string;
  suffix?: string;
  docSection?: string;
  visibleWhen?: { field: string; equals: string[] };
  warnings: Record<string, string>;
}

export interface Form {
  fields: FormField[];
  /** Sent without being asked for: hidden fields that have a default. */
  fixed: Record<string, string>;
  /** Values of the session that decide what is visible. */
  preset: Record<string, string>;
}

export type Values = Record<string, string>;

/** What a mode takes whatever the entry says; an entry may describe these, and hide or explain them. */
const USUAL: Partial<Record<AuthMode, FieldSpecs>> = {
  API_KEY: { apiKey: { secret: true } },
  BASIC: { username: { optional: true }, password: { secret: true, optional: true } },
  SIGNATURE: { username: {}, password: { secret: true } },
  BILL: { username: {}, password: { secret: true }, organization_id: {}, dev_key: { secret: true } },
  TBA: { token_id: { secret: true }, token_secret: { secret: true } },
  OAUTH2_CC: { client_id: {}, client_secret: { secret: true } },
  AWS_SIGV4: {
    role_arn: { example: 'arn:aws:iam::123456789012:role/dragoman' },
    region: { example: 'eu-central-1', optional: true },
  },
};
const MTLS: FieldSpecs = { client_certificate: {}, client_private_key: { secret: true } };
/** Fields a mode's endpoint takes besides the usual ones, where the entry asks for them. */
const EXTRA: Partial<Record<AuthMode, string[]>> = {
  TBA: ['oauth_client_id_override', 'oauth_client_secret_override'],
};
const DECLARED = new Set<AuthMode>(['TWO_STEP', 'JWT']);
export const REDIRECTING: ReadonlySet<AuthMode> = new Set<AuthMode>([
  'OAUTH2',
  'OAUTH1',
  'APP',
  'CUSTOM',
  'MCP_OAUTH2',
  'MCP_OAUTH2_GENERIC',
  'INSTALL_PLUGIN',
]);
const OVERRIDES = [
  'oauth_client_id_override',
  'oauth_client_secret_override',
  'oauth_refresh_token_override',
];

export interface Circumstances {
  /** What the session presets: it wins over what is typed, so it is not asked. */
  preset?: Record<string, unknown>;
  /** When an account is authorized again, what stays blank stays as it is. */
  reconnecting?: boolean;
  /** What the account has, as far as it may be shown. */
  stored?: Record<string, string>;
}

export function formOf(provider: Provider, circumstances: Circumstances = {}): Form {
  const { preset = {}, reconnecting = false, stored = {} } = circumstances;
  const specs: [Part, string, FieldSpec][] = [
    ...sorted(provider.connection_config).map(([n, s]): [Part, string, FieldSpec] => ['config', n, s]),
    ...sorted(credentialSpecs(provider)).map(([n, s]): [Part, string, FieldSpec] => ['credential', n, s]),
    ...sorted(provider.auth_mode === 'TWO_STEP' ? provider.assertion_option : {}).map(
      ([n, s]): [Part, string, FieldSpec] => ['once', n, s],
    ),
  ];
  const form: Form = { fields: [], fixed: {}, preset: texts(preset) };
  for (const [part, name, spec] of specs) {
    if (spec.automated || (part === 'config' && name in preset)) continue;
    if (!spec.hidden) {
      const again = reconnecting && part === 'config';
      const kept = { ...spec, optional: true, default_value: stored[name] };
      form.fields.push(field(part, name, again ? kept : spec));
    } else if (spec.default_value !== undefined) {
      form.fixed[idOf(part, name)] = String(spec.default_value);
    }
  }
  return form;
}

function credentialSpecs(provider: Provider): FieldSpecs {
  const mode = provider.auth_mode;
  const own = provider.credentials ?? {};
  if (DECLARED.has(mode)) return own;
  if (REDIRECTING.has(mode)) return only(own, OVERRIDES);
  let usual = USUAL[mode] ?? {};
  if (mode === 'OAUTH2_CC' && provider.require_client_certificate) usual = { ...usual, ...MTLS };
  else if (mode === 'OAUTH2_CC' && provider.token_request_auth_method === 'private_key_jwt') {
    usual = { client_id: {}, client_private_key: { secret: true } };
  }
  const described = Object.entries(usual).map(([name, spec]): [string, FieldSpec] => [
    name,
    merged(spec, own[name]),
  ]);
  return { ...Object.fromEntries(described), ...only(own, EXTRA[mode] ?? []) };
}

/** The entry's words over the usual ones; a field stays as secret as it usually is. */
function merged(usual: FieldSpec, own: FieldSpec | undefined): FieldSpec {
  if (own === undefined) return usual;
  return { example: usual.example, ...own, secret: usual.secret || own.secret };
}

function field(part: Part, name: string, spec: FieldSpec): FormField {
  const lines = /private_?key|certificate|pem$/i.test(name) && !spec.pattern;
  const rule = spec.visible_when;
  return {
    id: idOf(part, name),
    part,
    name,
    title: spec.title && spec.title !== name ? spec.title : null,
    description: spec.description,
    example: spec.example === undefined ? undefined : String(spec.example),
    pattern: spec.pattern,
    format: spec.format,
    choices: (spec.enum ?? []).map(String),
    required: !spec.optional,
    secret: spec.secret ?? false,
    lines,
    initial: spec.default_value === undefined ? '' : String(spec.default_value),
    prefix: spec.prefix,
    suffix: spec.suffix,
    docSection: spec.doc_section,
    visibleWhen: rule && { field: rule.field, equals: [rule.equals].flat() },
    warnings: spec.warnings ?? {},
  };
}

/** The fields on show: one that depends on another is asked only while that has, visibly, the value it needs. */
export function visibleFields(form: Form, values: Values): FormField[] {
  const shown = new Map(form.fields.map((f) => [f.id, f]));
  const isVisible = (f: FormField, seen: Set<string>): boolean => {
    if (f.visibleWhen === undefined) return true;
    const id = idOf(f.part, f.visibleWhen.field);
    if (seen.has(id)) return false;
    const other = shown.get(id);
    if (other === undefined) {
      const known = f.part === 'config' ? form.preset[f.visibleWhen.field] : form.fixed[id];
      return f.visibleWhen.equals.includes(known ?? '');
    }
    return (
      f.visibleWhen.equals.includes(values[id] ?? other.initial) && isVisible(other, new Set([...seen, id]))
    );
  };
  return form.fields.filter((f) => isVisible(f, new Set([f.id])));
}

export const initialValues = (form: Form): Values =>
  Object.fromEntries(form.fields.map((f) => [f.id, f.initial]));

export const blankSecrets = (form: Form): Values =>
  Object.fromEntries(form.fields.filter((f) => f.secret).map((f) => [f.id, '']));

export const idOf = (part: Part, name: string): string => `${part}.${name}`;

const only = (specs: FieldSpecs, names: string[]): FieldSpecs =>
  Object.fromEntries(Object.entries(specs).filter(([name]) => names.includes(name)));

const texts = (raw: Record<string, unknown>): Record<string, string> =>
  Object.fromEntries(Object.entries(raw).map(([name, value]) => [name, String(value)]));

/** By `order`, fields without one last, else as declared. */
function sorted(specs: FieldSpecs | undefined): [string, FieldSpec][] {
  const place = (spec: FieldSpec) => spec.order ?? Number.POSITIVE_INFINITY;
  return Object.entries(specs ?? {}).sort(([, a], [, b]) =>
    place(a) === place(b) ? 0 : place(a) - place(b),
  );
}
